"""Recognise that a disk, a quota or a database is full, and say what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from app.core.errors import NoRoom
from app.core.settings import get_settings

DISK_FULL = "The disk has no room left: make room where FORGER_HOME (or TMPDIR) lies, then try again."
DATABASE_FULL = "The database has no room left: make room on its disk, then try again."
BROKER_FULL = "The broker cannot save to its disk and takes no more: make room there, then try again."

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SENTENCES_BY_MESSAGE = {"No space left on device": DISK_FULL, "Disk quota exceeded": DISK_FULL, "MISCONF": BROKER_FULL}
"""sentences by a part of the message, for libraries that keep no error number; Redis begins with MISCONF"""
_POSTGRESQL_DISK_FULL = "53100"
_SQLITE_UNCLEAR = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""codes of a failed open, which SQLite also returns if the disk has no room for its -wal and -shm files"""
_SQLITE_MIN_FREE_BYTES = 64 << 10
"""free bytes below which SQLite cannot open a database: twice what its -wal and -shm files need"""


def no_room(error: BaseException) -> NoRoom | None:
    """Return the refusal for a failure that ran out of room; None for any other failure."""
    refusals = (refusal for cause in _causes(error) if (refusal := _refusal_for(cause)) is not None)
    refusal = next(refusals, None)
    return NoRoom(refusal) if isinstance(refusal, str) else refusal


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes: SQLAlchemy keeps the driver's error as `orig`, Python others as `__cause__`."""
    cause: object = error
    while isinstance(cause, BaseException):
        yield cause
        cause = getattr(cause, "orig", None) or cause.__cause__


def _refusal_for(error: BaseException) -> NoRoom | str | None:
    match error:
        case NoRoom():
            return error
        case sqlite3.Error():
            return DATABASE_FULL if _sqlite_is_full(getattr(error, "sqlite_errorcode", None)) else None
        case OSError(errno=int() as number):
            return DISK_FULL if number in _FULL_ERRNOS else None
    if getattr(error, "sqlstate", None) == _POSTGRESQL_DISK_FULL:
        return DATABASE_FULL
    return next((sentence for part, sentence in _SENTENCES_BY_MESSAGE.items() if part in str(error)), None)


def _sqlite_is_full(code: int | None) -> bool:
    return code == sqlite3.SQLITE_FULL or (code in _SQLITE_UNCLEAR and _is_full(_sqlite_folder()))


def _sqlite_folder() -> Path:
    file = get_settings().database_url.partition("sqlite:///")[2]
    return Path(file).parent if file else get_settings().home


def _is_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    no_files = disk.f_files > 0 and disk.f_favail == 0
    return no_files or disk.f_bavail * disk.f_frsize < _SQLITE_MIN_FREE_BYTES
