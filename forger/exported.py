"""Save a model's version as files that other programs read."""

from dataclasses import dataclass
from pathlib import Path

from forger.connection import UPLOAD_TIMEOUT, Connection
from forger.files import require_ending, write_whole
from forger.references import version_path
from forger.wire import ExportFormat


@dataclass(frozen=True, slots=True)
class Exported:
    """A saved zip: its file, the version that it holds, and how far its files are from what the service serves."""

    path: Path
    model: str
    parity: str
    """such as `max_abs=1.9e-07; mean_abs=2.1e-08; inputs=64`"""


def save_export(connection: Connection, reference: str, path: Path, format_: ExportFormat | None) -> Exported:
    """Save the zip of a version whole or not at all. The first request for a format may take minutes.

    Raises ValueError for a name with another ending than .zip.
    """
    require_ending(path, ["zip"])
    params = {} if format_ is None else {"format": format_}
    address = version_path(connection, reference)
    with connection.stream(f"{address}/export", params=params, timeout=UPLOAD_TIMEOUT) as reply:
        write_whole(path, reply.iter_bytes())
        return Exported(path, reply.headers["x-forger-model"], reply.headers["forger-parity"])
