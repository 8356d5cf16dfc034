"""Write files whole or not at all, and pack folders as zips."""

import errno
import hashlib
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from forger.text import alternatives


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_ending(file: Path, endings: Collection[str]) -> None:
    """Raise ValueError if the file's name has another ending than these; a name without one is allowed."""
    if file.suffix and file.suffix.lower().removeprefix(".") not in endings:
        raise ValueError(ending_refusal(file, endings))


def ending_refusal(file: Path, endings: Iterable[str]) -> str:
    """Return the sentence that refuses the ending of a file's name.

    >>> ending_refusal(Path("a.gif"), ["png", "webp"])
    'a.gif: nothing here is written as .gif: end the name in .png or .webp.'
    """
    allowed = alternatives(f".{name}" for name in endings)
    return f"{file}: nothing here is written as {file.suffix.lower()}: end the name in {allowed}."


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the file at once with all its bytes, or raise OSError and leave the existing file."""
    try:
        _write(path.resolve(), chunks)
    # Name the requested file, not the temporary one.
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    # Devices and pipes are written directly; a folder raises an error of its own.
    if path.exists() and not path.is_file():
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
    """Yield a zip as it is, or a folder packed as a zip in a temporary file that lasts for the block."""
    if not path.is_dir():
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="forger-") as packed:
        _pack(path, packed)
        packed.seek(0)
        yield packed


def _pack(folder: Path, into: BinaryIO) -> None:
    """Pack every file below the folder except hidden ones, uncompressed: pictures are compressed already."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
        for file in _files(folder, (folder.resolve(),)):
            name = _as_text(file, file.relative_to(folder))
            with file.open("rb") as source, packed.open(name, "w", force_zip64=True) as member:
                shutil.copyfileobj(source, member)


def _files(folder: Path, ancestors: tuple[Path, ...]) -> Iterator[Path]:
    """Yield files in order, without hidden ones. `ancestors` are the real folders from the uploaded one to this one.

    Links to folders inside the uploaded one are followed. Raises OSError for any other link to a folder.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        real = path.resolve()
        if path.is_symlink() and not path.exists():
            raise _refused(path, f"is a link to {real}, which is not there. Remove or mend it")
        if path.is_dir():
            if not real.is_relative_to(ancestors[0]):
                raise _refused(path, f"is a link to a folder outside, {real}. Put a copy of that folder in its place")
            if real in ancestors:
                raise _refused(path, "is a link to a folder that contains it. Remove it")
            yield from _files(path, (*ancestors, real))
        elif path.is_file():
            yield path


def _as_text(file: Path, name: Path) -> str:
    """Return the name for the zip. Raises OSError if the file's name is no UTF-8."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise _refused(file, "has a name that is no UTF-8. Rename it") from None
    return str(name)


def _refused(path: Path, why: str) -> OSError:
    return OSError(errno.EINVAL, why, str(path))
