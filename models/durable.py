"""Atomic writes: after a crash a file is complete or absent."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INCOMING_PREFIX = ".incoming-"
"""prefix of the names of unfinished files"""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield an empty file in the folder of `path`. When the block ends it is synced and renamed to `path`.

    An error inside the block removes it. Several writers of one path do not disturb each other: the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f"{INCOMING_PREFIX}{path.name}-", dir=path.parent)
    try:
        os.close(fd)
        yield Path(name)
        fsync(Path(name))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Flush a file's bytes, or a folder's names, to the disk. A rename is durable once its folder is synced."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
