"""Recognise that a disk, a quota or a database is full, and say what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from app.core.errors import NoRoom
from app.core.settings import get_settings

DISK = "The disk has no room left: make room where FORGER_HOME (or TMPDIR) lies, then try again."
DATABASE = "The database has no room left: make room on its disk, then try again."
BROKER = "The broker cannot save to its disk and takes no more: make room there, then try again."

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WORDS = {"No space left on device": DISK, "Disk quota exceeded": DISK, "MISCONF": BROKER}
"""in the messages of libraries that keep no error number; the last is how Redis begins"""
_POSTGRESQL_DISK_FULL = "53100"
_SQLITE_UNCLEAR = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""what opening a database answers also where its disk has no room for the files beside it"""
_LEAST_BYTES = 64 << 10
"""that SQLite needs beside a database to open it, twice over"""


def no_room(error: BaseException) -> NoRoom | None:
    """The refusal for a failure that ran out of room; None for any other failure."""
    found = next((said for cause in _causes(error) if (said := _said(cause)) is not None), None)
    return NoRoom(found) if isinstance(found, str) else found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what the database's driver said where it wraps that, and what it was raised from."""
    found: object = error
    while isinstance(found, BaseException):
        yield found
        found = getattr(found, "orig", None) or found.__cause__


def _said(error: BaseException) -> NoRoom | str | None:
    match error:
        case NoRoom():
            return error
        case sqlite3.Error():
            return DATABASE if _sqlite_is_full(getattr(error, "sqlite_errorcode", None)) else None
        case OSError(errno=int() as number):
            return DISK if number in _FULL else None
    if getattr(error, "sqlstate", None) == _POSTGRESQL_DISK_FULL:
        return DATABASE
    return next((sentence for words, sentence in _WORDS.items() if words in str(error)), None)


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
    return no_files or disk.f_bavail * disk.f_frsize < _LEAST_BYTES
