"""Store artifacts by content: a file's name is the sha256 of its bytes."""

import fcntl
import hashlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from app.core.errors import Conflict
from models.durable import fsync

_SHA256 = re.compile(r"[0-9a-f]{64}")
_INCOMING = ".incoming-"
_READ_BYTES = 1 << 22
_FileStamp = tuple[int, int, int, int]
"""inode, bytes, times of the last write and the last change: they differ once the file was touched"""
FindReferenced = Callable[[Collection[str]], Collection[str]]
"""a function that returns which of the given sha256s a database row references"""


def sha256_of(path: Path, beat: Callable[[], None] = lambda: None) -> str:
    """Return the sha256 of a file's bytes; call `beat` after each part that was read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
            beat()
    return digest.hexdigest()


def modified_at(path: Path) -> float:
    """Return when the file was written or put again, in seconds of its file system's clock; infinity if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def file_system_time(folder: Path) -> float:
    """Return the time of the folder's file system, which may differ from this machine's.

    Touches the folder, which works on a full disk too.
    """
    os.utime(folder)
    return folder.stat().st_mtime


def old_entries(folder: Path, older_than_s: float) -> list[Path]:
    """Return the folder's entries that were written, or put again, more than `older_than_s` seconds ago."""
    if not folder.is_dir():
        return []
    oldest = file_system_time(folder) - older_than_s
    return [path for path in folder.iterdir() if modified_at(path) < oldest]


# Cached: every request for a picture needs it.
@lru_cache(1024)
def _file_path(root: Path, sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise ValueError("A sha256 is 64 lower-case hex digits.")
    return root / sha256[:2] / sha256


class Store:
    """A folder of immutable files, each written whole or not at all. Putting a file again replaces a damaged one.

    A file is put before a row references it, so a needed file has no row for a moment. `delete_unreferenced` therefore
    spares young files, and putting an existing file makes it young again. Both hold the folder's lock meanwhile.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return _file_path(self.root, sha256)

    def put_bytes(self, data: bytes) -> str:
        return self._put(hashlib.sha256(data).hexdigest(), lambda out: out.write(data))

    def put_file(self, source: Path) -> str:
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return self._put(sha256, lambda out: shutil.copyfileobj(file, out))

    def defect(self, sha256: str) -> str | None:
        """Return a file's defect, "missing" or "damaged"; None if its bytes match its name.

        A process reads the bytes once, and again after the file was touched.
        """
        path = self.path(sha256)
        try:
            stamp = _file_stamp(path)
            if _VERIFIED.get(path) == stamp:
                return None
            if sha256_of(path) != sha256:
                return "damaged"
        except FileNotFoundError:
            return "missing"
        _VERIFIED[path] = stamp
        return None

    def verified_path(self, sha256: str, what: str) -> Path:
        """Return the path of a file after a check of its bytes. Raises Conflict with `what` as the file's name."""
        if (defect := self.defect(sha256)) is not None:
            sentence = f"The file of {what} is {defect}: put it back from a backup of FORGER_HOME, or make it again."
            raise Conflict(sentence, code="file_damaged")
        return self.path(sha256)

    def touch(self, sha256: str) -> bool:
        """Make the file young, so that it is not deleted soon; return False if it does not exist."""
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent, fcntl.LOCK_SH), suppress(FileNotFoundError):
            os.utime(target)
            return True
        return False

    def sha256s(self) -> Iterator[str]:
        """Yield the sha256 of every file."""
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if _SHA256.fullmatch(path.name):
                yield path.name

    def delete_unreferenced(self, find_referenced: FindReferenced, *, older_than_s: float) -> list[str]:
        """Delete old files that no row references, and old unfinished ones; return the sha256s of the former."""
        removed = []
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            old = old_entries(folder, older_than_s)
            for path in old:
                if path.name.startswith(_INCOMING):
                    path.unlink(missing_ok=True)
            files = {path.name for path in old if _SHA256.fullmatch(path.name)}
            unreferenced = files - set(find_referenced(files)) if files else set()
            removed += [sha256 for sha256 in sorted(unreferenced) if _remove(folder / sha256, older_than_s)]
        return removed

    def _put(self, sha256: str, write: Callable[[BinaryIO], object]) -> str:
        if self.touch(sha256) and self.defect(sha256) is None:
            return sha256
        target = self.path(sha256)
        fd, name = tempfile.mkstemp(prefix=_INCOMING, dir=target.parent)
        try:
            with os.fdopen(fd, "wb") as out:
                write(out)
                out.flush()
                os.fsync(out.fileno())
            with _locked(target.parent, fcntl.LOCK_SH):
                os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        fsync(target.parent)
        return sha256


_VERIFIED: dict[Path, _FileStamp] = {}
"""stamps of the files whose bytes this process has verified"""


def _file_stamp(path: Path) -> _FileStamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _remove(path: Path, older_than_s: float) -> bool:
    """Delete the file unless it was put again meanwhile; return whether it was deleted."""
    with _locked(path.parent, fcntl.LOCK_EX):
        if modified_at(path) >= file_system_time(path.parent) - older_than_s:
            return False
        path.unlink()
        return True


@contextmanager
def _locked(folder: Path, mode: int) -> Iterator[None]:
    """Hold the folder's lock during the block; the system releases it if the process dies."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, mode)
        yield
    finally:
        os.close(fd)
