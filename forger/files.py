"""Files on the client's side: written whole or not at all, and folders as zips."""

import errno
import hashlib
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """The file appears at once with all its bytes, or an OSError is raised and what was there stays."""
    try:
        _write(path.resolve(), chunks)
    except OSError as error:  # names the file that was asked for, not the one beside it
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    if path.exists() and not path.is_file():  # a device or a pipe is written to; a folder refuses by itself
        with path.open("wb") as out:
            out.writelines(chunks)
        return
    incoming = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with incoming.open("xb") as out:
            out.writelines(chunks)
        incoming.replace(path)
    finally:
        incoming.unlink(missing_ok=True)


@contextmanager
def archive(path: Path) -> Iterator[BinaryIO]:
    """A zip as it is; a folder as a zip that lies in a temporary file as long as the block runs."""
    if not path.is_dir():
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="forger-") as packed:
        _pack(path, packed)
        packed.seek(0)
        yield packed


def _pack(folder: Path, into: BinaryIO) -> None:
    """Every file below the folder but hidden ones, stored as it is: pictures are compressed already."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
        for file in _files(folder, (folder.resolve(),)):
            name = _as_text(file, file.relative_to(folder))
            with file.open("rb") as source, packed.open(name, "w", force_zip64=True) as member:
                shutil.copyfileobj(source, member)


def _files(folder: Path, way: tuple[Path, ...]) -> Iterator[Path]:
    """Files in order, without hidden ones. `way` are the real folders from the uploaded one to this one.

    Links to folders inside the uploaded one are followed. Raises OSError that names any other.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        real = path.resolve()
        if path.is_symlink() and not path.exists():
            raise _refused(path, f"is a link to {real}, which is not there. Remove or mend it")
        if path.is_dir():
            if not real.is_relative_to(way[0]):
                raise _refused(path, f"is a link to a folder outside, {real}. Put a copy of that folder in its place")
            if real in way:
                raise _refused(path, "is a link to a folder that it lies in. Remove it")
            yield from _files(path, (*way, real))
        elif path.is_file():
            yield path


def _as_text(file: Path, name: Path) -> str:
    """A zip's names are text. Raises OSError that names a file whose name is none."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise _refused(file, "has a name that is no UTF-8. Rename it") from None
    return str(name)


def _refused(path: Path, why: str) -> OSError:
    return OSError(errno.EINVAL, why, str(path))
