"""Find versions of models: by name@version, or by a name alone, which means its newest version."""

from urllib.parse import quote

from forger.connection import Connection
from forger.replies import Version, Versions


def read_version(connection: Connection, reference: str) -> Version:
    """Read the version that a reference names; of a name alone the newest. Raises ForgerProblem if there is none."""
    if "@" in reference:
        return connection.read(Version, model_path(reference))
    return connection.read(Versions, model_path(reference)).versions[0]


def version_path(connection: Connection, reference: str) -> str:
    """Return the path of the version that a reference names, for addresses that need its number."""
    return model_path(reference if "@" in reference else read_version(connection, reference).model)


def model_path(reference: str) -> str:
    """Return the path of a model or a version; the reference is one segment of it."""
    return f"/models/{quote(reference, safe='@')}"
