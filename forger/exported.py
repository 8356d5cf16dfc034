"""Save a model's version as files that other programs read."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from forger.connection import UPLOAD_TIMEOUT, Connection
from forger.files import write_whole
from forger.wire import ExportFormat


@dataclass(frozen=True, slots=True)
class Exported:
    """A saved zip: its file, the version that it holds, and how far its files are from what the service serves."""

    path: Path
    model: str
    parity: str
    """such as `max_abs=1.9e-07; mean_abs=2.1e-08; inputs=64`"""


def save_export(connection: Connection, reference: str, path: Path, format_: ExportFormat | None) -> Exported:
    """Save the zip of name@version whole or not at all. The first request for a format may take minutes."""
    params = {} if format_ is None else {"format": format_}
    address = f"/models/{quote(reference, safe='@')}/export"
    with connection.stream(address, params=params, timeout=UPLOAD_TIMEOUT) as reply:
        write_whole(path, reply.iter_bytes())
        return Exported(path, reply.headers["x-forger-model"], reply.headers["forger-parity"])
