"""Receive large multipart bodies: files go straight to disk, into a folder of the service."""

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Generic, Protocol, TypeVar
from unicodedata import normalize
from zipfile import ZipFile, ZipInfo

import anyio.to_thread
from fastapi import Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile

from app.api.problems import as_invalid
from app.api.requests.forms import MAX_FIELD_BYTES, BoundedFormParser, field_values, missing_file, require_once
from app.api.requests.unknown_names import require_known
from app.core.concurrency import Limiter
from app.core.errors import FieldError, Invalid, TooLarge
from app.core.limits import MAX_SENT_PICTURES
from app.core.settings import Settings
from app.core.store import sha256_of
from app.services.creation.translate import SentPictures
from models.spec.wording import refusals, schema_of

MAX_NAME_BYTES = 200
MIN_BYTES_FOR_PLACE = 1 << 20
"""bytes that must have arrived before an upload occupies a place"""


Fields = TypeVar("Fields", bound=BaseModel)


def form_with_file(fields: type[BaseModel], file: str, **others: str) -> dict[str, Any]:
    """Return the description of a form for OpenAPI. Its route reads the body itself: FastAPI would read it whole first.

    `file` describes the part `file`, and `others` describe files that may be left out.
    """
    schema = fields.model_json_schema()
    described = {"file": file, **others}.items()
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in described}
    schema |= {"properties": {**parts, **schema["properties"]}, "required": ["file", *schema["required"]]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _validated(adapter: TypeAdapter[Fields], form: FormData) -> Fields:
    """Return a form's fields that are no files. Raises Invalid with a pointer per refusal."""
    try:
        return adapter.validate_python({name: value for name, value in form.multi_items() if isinstance(value, str)})
    except ValidationError as error:
        raise as_invalid(refusals(error.errors(include_url=False), schema_of(adapter))) from None


class Receiver(Protocol):
    """The folder that takes the files of forms, and the limiter of the forms that are taken at a time."""

    folder: Path
    limiter: Limiter


@dataclass(frozen=True)
class ReceivedForm(Generic[Fields]):
    """The files and the fields of a form; the files are deleted when the block around it ends."""

    file: Path
    others: dict[str, Path]
    """by name, the files that may be left out"""
    fields: Fields


@asynccontextmanager
async def receive_file(
    request: Request,
    receiver: Receiver,
    fields: TypeAdapter[Fields],
    max_bytes: int,
    setting: str,
    beyond: str,
    others: Sequence[str] = (),
) -> AsyncIterator[ReceivedForm[Fields]]:
    """Yield the body's part `file` and its small fields. The request occupies a place of the receiver during the block.

    `others` names files that may be sent too; all together have at most `max_bytes`. `beyond` advises what to do with
    more files.

    Raises HTTPException 400, Invalid if the file is missing or a field is wrong, TooLarge with the name of the setting,
    Busy.
    """
    receiver.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        body = _limited(request.stream(), receiver.limiter, place)
        parser = _DiskParser(receiver.folder, request.headers, body, beyond, 1 + len(others))
        try:
            form = await parser.parse()
            files = _checked_files(form, max_bytes, setting, others)
            yield ReceivedForm(files.pop("file"), files, _validated(fields, form))
        finally:
            # Shielded: the files of a client that disconnects must be deleted too.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parser.close)


@asynccontextmanager
async def receive_pictures(
    request: Request, folder: Path, settings: Settings, limiter: Limiter, fields: Mapping[str, Any]
) -> AsyncIterator[tuple[str, SentPictures]]:
    """Yield the body's field `job`, and its parts `file` in a zip that is deleted when the block ends.

    `fields` is the JSON Schema, of an object, of the form. Raises HTTPException 400, Invalid if a part is missing or
    unknown or two files have one name, TooLarge, Busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        body = _limited(request.stream(), limiter, place)
        beyond = "send the others with another job."
        parser = _DiskParser(folder, request.headers, body, beyond, MAX_SENT_PICTURES, settings.max_body_bytes)
        packed = folder / f"upload-{token_hex(8)}.zip"
        try:
            form = await parser.parse()
            require_known(field_values(form), fields)
            require_once(FormData([(name, part) for name, part in form.multi_items() if isinstance(part, str)]))
            job, files = form.get("job"), [part for part in form.getlist("file") if isinstance(part, UploadFile)]
            if not isinstance(job, str):
                raise _invalid("/job", 'Send the job as a field called job, as job={"kind": "translate"}.')
            if not files:
                raise _invalid("/file", "Send at least one picture as a part called file, as -F file=@photo.jpg.")
            if len(files) < len(form.getlist("file")):
                raise missing_file("A part 'file' has no filename")
            yield job, await anyio.to_thread.run_sync(_pack, packed, files, settings.max_upload_bytes)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parser.close)
                packed.unlink(missing_ok=True)


def _pack(path: Path, files: Sequence[UploadFile], max_bytes: int) -> SentPictures:
    """Write the files into a zip under their names: equal files in equal order give equal bytes."""
    size, names = 0, set[str]()
    with path.open("xb") as out:
        with ZipFile(out, "w") as archive:
            for file in files:
                name = _file_name(file.filename)
                if name in names:
                    raise _invalid("/file", f"Two files are called '{name[:80]}': give each a name of its own.")
                names.add(name)
                size += _add_member(archive, name, file, max_bytes)
        out.flush()
        os.fsync(out.fileno())
    return SentPictures(path, sha256_of(path), len(files), size)


def _add_member(archive: ZipFile, name: str, file: UploadFile, max_bytes: int) -> int:
    """Add a file to the zip; return its bytes. Raises TooLarge."""
    path = _path_of(file)
    if (size := path.stat().st_size) > max_bytes:
        sentence = f"'{name[:80]}' is larger than {max_bytes} bytes (max_upload_bytes). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    with path.open("rb") as source, archive.open(ZipInfo(name), "w", force_zip64=True) as member:
        shutil.copyfileobj(source, member)
    return size


def _path_of(file: UploadFile) -> Path:
    on_disk: Any = file.file
    path: Path = on_disk.path
    return path


def _file_name(filename: str | None) -> str:
    """Return the last part of a file's path without unprintable characters. Raises Invalid if it is no file name."""
    last = (filename or "").replace("\\", "/").rpartition("/")[2]
    name = normalize("NFC", "".join(letter for letter in last if letter.isprintable()))
    if name in ("", ".", "..") or len(name.encode()) > MAX_NAME_BYTES:
        raise _invalid("/file", f"A file needs a name of 1 to {MAX_NAME_BYTES} bytes, as in -F 'file=@photo.jpg'.")
    return name


def _invalid(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors=(FieldError(pointer, sentence),))


async def _limited(body: AsyncIterable[bytes], limiter: Limiter, place: ExitStack) -> AsyncGenerator[bytes, None]:
    """Pass the body on; occupy a place once some of it has arrived, so that a stalled upload blocks nobody.

    Raises Busy if no place is free.
    """
    # Refuses before gigabytes are sent in vain.
    limiter.require_free()
    arrived, has_place = 0, False
    async for piece in body:
        arrived += len(piece)
        if not has_place and arrived >= MIN_BYTES_FOR_PLACE:
            has_place = True
            place.enter_context(limiter.place())
        yield piece
    if not has_place:
        place.enter_context(limiter.place())


class _OnDisk:
    """A file that is open only during a write: a form may have more files than a process may open."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"upload-{token_hex(8)}"
        self.path.touch(mode=0o600, exist_ok=False)

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def seek(self, offset: int) -> None:
        """Do nothing: Starlette rewinds each finished part, but readers open the file anew."""

    def close(self) -> None:
        self.path.unlink(missing_ok=True)


class _DiskParser(BoundedFormParser):
    """A parser that writes files to the service's folder: Starlette's temporary folder may be in memory."""

    def __init__(
        self,
        folder: Path,
        headers: Headers,
        body: AsyncGenerator[bytes, None],
        beyond: str,
        files: int = 1,
        field_bytes: int = MAX_FIELD_BYTES,
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
        """Delete the files, also those of an interrupted body. Call it on a thread: large files take a while."""
        for file in self._on_disk:
            file.close()


def _checked_files(form: FormData, max_bytes: int, setting: str, others: Sequence[str]) -> dict[str, Path]:
    """Return the form's files by name. Raises Invalid, TooLarge."""
    if not isinstance(form.get("file"), UploadFile):
        raise missing_file("'file' is missing")
    require_once(form)
    files = {name: _path_of(part) for name, part in form.multi_items() if isinstance(part, UploadFile)}
    if unknown := next((name for name in files if name not in ("file", *others)), None):
        raise _invalid(f"/{unknown}", "No file is taken under this name: " + " or ".join(("file", *others)) + ".")
    if sum(path.stat().st_size for path in files.values()) > max_bytes:
        whole = "The file is" if len(files) == 1 else "The files are"
        sentence = f"{whole} larger than {max_bytes} bytes ({setting}). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    return files
