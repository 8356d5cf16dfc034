"""Files on the client's side: written whole or not at all, and folders as zips."""

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
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and not any(part.startswith(".") for part in name.parts):
                with file.open("rb") as source, packed.open(str(name), "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member)
