"""Large multipart bodies: a file goes straight to disk, in a folder of our own."""

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any
from unicodedata import normalize
from zipfile import ZipFile, ZipInfo

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile

from app.api.requests.forms import FIELD_BYTES, Parts, named, require_once, without_file
from app.api.requests.unknown_names import require_known
from app.core.errors import FieldError, Invalid, TooLarge
from app.core.limiter import Gate
from app.core.limits import SENT_MOST
from app.core.settings import Settings
from app.core.store import sha256_of
from app.services.creation.translate import SentPictures

NAME_BYTES = 200
PLACED = 1 << 20
"""bytes that must have arrived before an upload takes a place from others"""


@dataclass(frozen=True)
class Received:
    """`file` is gone once the block around it ends."""

    file: Path
    fields: dict[str, str]


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int, setting: str, gate: Gate) -> AsyncIterator[Received]:
    """The body's one file, called `file`, and its small fields. It has a place at the gate for the time of the block.

    Raises HTTPException 400, Invalid where the file is missing, TooLarge naming the setting, Busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        body = _placed(request.stream(), gate, place)
        parser = _DiskParser(folder, request.headers, body, "send one zip that holds all pictures.")
        try:
            yield _checked(await parser.parse(), max_bytes, setting)
        finally:
            with anyio.CancelScope(shield=True):  # a client that leaves must not leave its file here
                await anyio.to_thread.run_sync(parser.close)


@asynccontextmanager
async def received_pictures(
    request: Request, folder: Path, settings: Settings, gate: Gate, fields: Mapping[str, Any]
) -> AsyncIterator[tuple[str, SentPictures]]:
    """The body's field `job`, and its files, each called `file`, in a zip that is gone once the block ends.

    `fields` is what the form may hold, as the JSON Schema of an object. Raises HTTPException 400, Invalid where
    something is missing or unknown or two files have one name, TooLarge, Busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        body = _placed(request.stream(), gate, place)
        beyond = "send the others with another job."
        parser = _DiskParser(folder, request.headers, body, beyond, SENT_MOST, settings.max_body_bytes)
        packed = folder / f"upload-{token_hex(8)}.zip"
        try:
            form = await parser.parse()
            require_known(named(form), fields)
            require_once(FormData([(name, part) for name, part in form.multi_items() if isinstance(part, str)]))
            job, files = form.get("job"), [part for part in form.getlist("file") if isinstance(part, UploadFile)]
            if not isinstance(job, str):
                raise _lacking("/job", 'Send the job as a field called job, as job={"kind": "translate"}.')
            if not files:
                raise _lacking("/file", "Send at least one picture as a part called file, as -F file=@photo.jpg.")
            if len(files) < len(form.getlist("file")):
                raise without_file("A part 'file' has no filename")
            yield job, await anyio.to_thread.run_sync(_packed, packed, files, settings.max_upload_bytes)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parser.close)
                packed.unlink(missing_ok=True)


def _packed(path: Path, files: Sequence[UploadFile], most: int) -> SentPictures:
    """The files, each under its own name, in a zip: equal files in an equal order give equal bytes."""
    size, taken = 0, set[str]()
    with path.open("xb") as out:
        with ZipFile(out, "w") as archive:
            for file in files:
                name = _own_name(file.filename)
                if name in taken:
                    raise _lacking("/file", f"Two files are called '{name[:80]}': give each a name of its own.")
                taken.add(name)
                size += _stored(archive, name, file, most)
        out.flush()
        os.fsync(out.fileno())
    return SentPictures(path, sha256_of(path), len(files), size)


def _stored(archive: ZipFile, name: str, file: UploadFile, most: int) -> int:
    """How many bytes it has."""
    path = _path_of(file)
    if (size := path.stat().st_size) > most:
        sentence = f"'{name[:80]}' is larger than {most} bytes (max_upload_bytes). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    with path.open("rb") as source, archive.open(ZipInfo(name), "w", force_zip64=True) as member:
        shutil.copyfileobj(source, member)
    return size


def _path_of(file: UploadFile) -> Path:
    on_disk: Any = file.file
    path: Path = on_disk.path
    return path


def _own_name(filename: str | None) -> str:
    """The last part of a file's path, without what no file name holds. Raises Invalid."""
    last = (filename or "").replace("\\", "/").rpartition("/")[2]
    name = normalize("NFC", "".join(letter for letter in last if letter.isprintable()))
    if name in ("", ".", "..") or len(name.encode()) > NAME_BYTES:
        raise _lacking("/file", f"A file needs a name of 1 to {NAME_BYTES} bytes, as in -F 'file=@photo.jpg'.")
    return name


def _lacking(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors=(FieldError(pointer, sentence),))


async def _placed(body: AsyncIterable[bytes], gate: Gate, place: ExitStack) -> AsyncGenerator[bytes, None]:
    """Pass the body on. Take a place once some of it has arrived, so that one that stalls keeps nobody out."""
    gate.require_free()  # before gigabytes are sent in vain
    arrived, held = 0, False
    async for piece in body:
        arrived += len(piece)
        if not held and arrived >= PLACED:
            held = True
            place.enter_context(gate.entered())
        yield piece
    if not held:
        place.enter_context(gate.entered())


class _OnDisk:
    """A file that is open only while it is written to: a form may have more of them than a process may open."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"upload-{token_hex(8)}"
        self.path.touch(mode=0o600, exist_ok=False)

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def seek(self, offset: int) -> None:
        """Starlette goes back to the start of a part that has ended: whoever reads it opens it there."""

    def close(self) -> None:
        self.path.unlink(missing_ok=True)


class _DiskParser(Parts):
    """Starlette's own keeps files in memory and then in the system's temporary folder, which may be memory too."""

    def __init__(
        self,
        folder: Path,
        headers: Headers,
        body: AsyncGenerator[bytes, None],
        beyond: str,
        files: int = 1,
        field_bytes: int = FIELD_BYTES,
    ) -> None:
        super().__init__(headers, body, beyond, files, field_bytes)
        self._folder = folder
        self._on_disk: list[Any] = []

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        upload = self._current_part.file
        if upload is not None:
            upload.file.close()
            on_disk: Any = _OnDisk(self._folder)
            upload.file = on_disk
            self._on_disk.append(on_disk)

    def close(self) -> None:
        """Removes the files, those of a body that broke off too: on a thread, for large ones take a while."""
        for file in self._on_disk:
            file.close()


def _checked(form: FormData, max_bytes: int, setting: str) -> Received:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise without_file("'file' is missing")
    require_once(form)
    path = _path_of(file)
    if path.stat().st_size > max_bytes:
        sentence = f"The file is larger than {max_bytes} bytes ({setting}). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    return Received(path, {name: value for name, value in form.multi_items() if isinstance(value, str)})
