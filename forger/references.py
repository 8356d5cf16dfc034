"""Address versions of models: by name@version, or by a name alone, which means its newest version."""

from urllib.parse import quote

from forger.connection import Connection
from forger.schemas.catalog import ModelDetail


def version_path(connection: Connection, reference: str) -> str:
    """Return the path of the version that a reference names. Raises ForgerProblem if a name has no version."""
    if "@" in reference:
        return model_path(reference)
    newest, *_ = connection.read(ModelDetail, model_path(reference)).versions
    return model_path(newest.model)


def model_path(reference: str) -> str:
    """Return the path of a model or a version; the reference is one segment of it."""
    return f"/models/{quote(reference, safe='@')}"
