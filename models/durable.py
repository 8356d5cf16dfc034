"""Files that are there whole or not at all, whatever crashes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INCOMING = ".incoming-"
"""how the names of unfinished files begin"""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path`. It is synced and takes that name when the block ends, or is removed.

    Writers of the same file do not disturb each other: the last one's stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f"{INCOMING}{path.name}-", dir=path.parent)
    try:
        os.close(fd)
        yield Path(name)
        sync(Path(name))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's bytes durable, or a folder's names: a rename is durable only once its folder is synced."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
