"""Artifacts by content: a file's name is the sha256 of its bytes."""

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
_Seen = tuple[int, int, int, int]
"""inode, bytes, time of the last write and of the last change: another one as soon as somebody touched the file"""
Named = Callable[[Collection[str]], Collection[str]]
"""Which of some files a row names."""


def sha256_of(path: Path, beat: Callable[[], None] = lambda: None) -> str:
    """Read a file and answer the sha256 of its bytes; `beat` is called after each part."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
            beat()
    return digest.hexdigest()


def written_at(path: Path) -> float:
    """When it was written or put again, by the clock of its file system; never yet, when it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def file_clock(folder: Path) -> float:
    """The time by the clock of the folder's file system, which need not be that of this machine.

    The folder is touched for it, which needs no room on a full disk.
    """
    os.utime(folder)
    return folder.stat().st_mtime


def old_entries(folder: Path, older_than_s: float) -> list[Path]:
    """What was written into the folder, or put again, longer ago than that."""
    if not folder.is_dir():
        return []
    oldest = file_clock(folder) - older_than_s
    return [path for path in folder.iterdir() if written_at(path) < oldest]


@lru_cache(1024)  # asked for each picture that is drawn
def _place(root: Path, sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise ValueError("A sha256 is 64 lower-case hex digits.")
    return root / sha256[:2] / sha256


class Store:
    """Files are written once, whole or not at all, and never changed: putting one again replaces what was damaged.

    A file is put first and named by a row afterwards, so for a moment a file that is needed has no row. `sweep`
    therefore leaves young files alone, and putting what is there already makes it young: else a sweep could take it
    between the two. Both hold the folder's lock for that moment.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return _place(self.root, sha256)

    def put_bytes(self, data: bytes) -> str:
        return self._put(hashlib.sha256(data).hexdigest(), lambda out: out.write(data))

    def put_file(self, source: Path) -> str:
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return self._put(sha256, lambda out: shutil.copyfileobj(file, out))

    def flaw(self, sha256: str) -> str | None:
        """Say what is wrong with a file, "missing" or "damaged"; None where its bytes are those of its name.

        They are read once in a process, and again whenever the file was touched.
        """
        path = self.path(sha256)
        try:
            seen = _seen(path)
            if _WHOLE.get(path) == seen:
                return None
            if sha256_of(path) != sha256:
                return "damaged"
        except FileNotFoundError:
            return "missing"
        _WHOLE[path] = seen
        return None

    def whole(self, sha256: str, called: str) -> Path:
        """The path of a file whose bytes are those of its name. Raises Conflict, which names it as `called`."""
        if (how := self.flaw(sha256)) is not None:
            sentence = f"The file of {called} is {how}: put it back from a backup of FORGER_HOME, or make it again."
            raise Conflict(sentence, code="file_damaged")
        return self.path(sha256)

    def renew(self, sha256: str) -> bool:
        """Makes the file young, so that no sweep takes it soon; False when it is not there."""
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent, fcntl.LOCK_SH), suppress(FileNotFoundError):
            os.utime(target)
            return True
        return False

    def names(self) -> Iterator[str]:
        """The sha256 of every file."""
        for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if _SHA256.fullmatch(path.name):
                yield path.name

    def sweep(self, named: Named, *, older_than_s: float) -> list[str]:
        """Removes the old files that no row names, and what died half written; answers what was removed."""
        removed = []
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            old = old_entries(folder, older_than_s)
            for path in old:
                if path.name.startswith(_INCOMING):
                    path.unlink(missing_ok=True)
            files = {path.name for path in old if _SHA256.fullmatch(path.name)}
            unnamed = files - set(named(files)) if files else set()
            removed += [sha256 for sha256 in sorted(unnamed) if _remove(folder / sha256, older_than_s)]
        return removed

    def _put(self, sha256: str, write: Callable[[BinaryIO], object]) -> str:
        if self.renew(sha256) and self.flaw(sha256) is None:
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


_WHOLE: dict[Path, _Seen] = {}
"""files that this process has read and found whole"""


def _seen(path: Path) -> _Seen:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _remove(path: Path, older_than_s: float) -> bool:
    """Unless it was put again since the sweep saw it."""
    with _locked(path.parent, fcntl.LOCK_EX):
        if written_at(path) >= file_clock(path.parent) - older_than_s:
            return False
        path.unlink()
        return True


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Given back by the system when the process dies."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
