"""Artifacts by content: a file's name is the sha256 of its bytes."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_SHA256 = re.compile(r"[0-9a-f]{64}")
_INCOMING = ".incoming-"
Named = Callable[[Collection[str]], Collection[str]]
"""Which of some files a row names."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """A rename is durable only once its folder is synced."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def age_s(path: Path) -> float:
    """Seconds since it was written or put again; below 0 when it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


@lru_cache(1024)  # asked for each picture that is drawn
def _place(root: Path, sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise ValueError("A sha256 is 64 lower-case hex digits.")
    return root / sha256[:2] / sha256


class Store:
    """Files are written once, whole or not at all, and never changed.

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
            old = [path for path in folder.iterdir() if age_s(path) > older_than_s]
            for path in old:
                if path.name.startswith(_INCOMING):
                    path.unlink(missing_ok=True)
            files = {path.name for path in old if _SHA256.fullmatch(path.name)}
            unnamed = files - set(named(files)) if files else set()
            removed += [sha256 for sha256 in sorted(unnamed) if _remove(folder / sha256, older_than_s)]
        return removed

    def _put(self, sha256: str, write: Callable[[BinaryIO], object]) -> str:
        if self.renew(sha256):
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
        sync_folder(target.parent)
        return sha256


def _remove(path: Path, older_than_s: float) -> bool:
    """Unless it was put again since the sweep saw it."""
    with _locked(path.parent, fcntl.LOCK_EX):
        if age_s(path) <= older_than_s:
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
