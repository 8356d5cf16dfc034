"""Multipart forms: read with bounds before FastAPI sees them, and refused in words that say what to send."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.openapi.signature import taken
from app.api.requests.json_bodies import media_type
from app.api.requests.unknown_names import require_known
from app.core.errors import FieldError, Invalid, UnsupportedMedia
from models.spec.wording import FILE_DESCRIPTION

MEDIA_TYPE = "multipart/form-data"
FIELDS = 8
FIELD_BYTES = 1024
MANY = "send many pictures to POST /jobs, as parts called file beside the field job."
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*\"?[\w-]*'[^']*'([^;\"]*)\"?", re.IGNORECASE)
"""a file's name as RFC 5987 writes it: charset, language, percent-encoded text"""


class Parts(MultiPartParser):
    """A form of few small fields and so many files; `beyond` says what to do with more.

    A file's name may be written as RFC 5987 has it, though RFC 7578 forbids that in forms: some clients do, and the
    part is a file all the same.
    """

    def __init__(
        self,
        headers: Headers,
        body: AsyncGenerator[bytes, None],
        beyond: str,
        files: int = 1,
        field_bytes: int = FIELD_BYTES,
    ) -> None:
        super().__init__(headers, body, max_files=files, max_fields=FIELDS, max_part_size=field_bytes)
        self._beyond = beyond

    async def parse(self) -> FormData:
        """Raises Invalid, and HTTPException 400 where it is no form or has too much in it."""
        try:
            return await super().parse()
        except MultiPartException as error:
            if self._current_files > self.max_files:
                sentence = f"A form has at most {self.max_files} {'file' if self.max_files == 1 else 'files'} here: "
                raise HTTPException(400, sentence + self._beyond) from error
            raise HTTPException(400, f"The form cannot be read: {error.message}") from error

    def on_header_end(self) -> None:
        super().on_header_end()
        part = self._current_part
        if part.content_disposition is not None and self._current_part.item_headers[-1][0] == b"content-disposition":
            part.content_disposition = _with_plain_name(part.content_disposition)

    def on_headers_finished(self) -> None:
        if self._current_fields >= FIELDS:
            raise MultiPartException(f"it has more than {FIELDS} fields. Send {FILE_DESCRIPTION} and few small fields.")
        super().on_headers_finished()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > self.max_part_size:
            if part.field_name == "file":
                raise without_file(f"'file' is {len(part.data) + end - start} bytes or more without a filename")
            raise MultiPartException(f"the field '{part.field_name[:80]}' is longer than {self.max_part_size} bytes.")
        super().on_part_data(data, start, end)


def without_file(lack: str) -> Invalid:
    sentence = f"{lack}: write {FILE_DESCRIPTION}."
    return Invalid(f"The request was refused. {sentence}", errors=(FieldError("/file", sentence),))


class FormRoute(APIRoute):
    """A route whose body is a form."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle, fields = super().get_route_handler(), taken(self)["body"]

        async def read(request: Request) -> Response:
            await require_form(request)
            form = await Parts(request.headers, request.stream(), MANY).parse()
            try:
                require_known(named(form), fields)
                require_once(form)
                request._form = form  # where request.form() keeps what it has read
                return await handle(request)
            finally:
                await form.close()

        return read


async def require_form(request: Request) -> None:
    """Raises UnsupportedMedia."""
    if (given := media_type(request)) != MEDIA_TYPE:
        raise UnsupportedMedia(
            f"Send the body as a form, {MEDIA_TYPE}, not as {given[:80] or 'nothing named'}: curl -F file=@photo.jpg "
            "writes one."
        )


def named(form: FormData) -> list[tuple[str, str]]:
    """Its parts with what a person wrote for each: a value, or the name of a file."""
    return [(name, part if isinstance(part, str) else part.filename or "") for name, part in form.multi_items()]


def require_once(form: FormData) -> None:
    """Raises Invalid where a field is there twice."""
    names = [name for name, _ in form.multi_items()]
    for name in names:
        if names.count(name) > 1:
            sentence = "The field is there twice: send it once."
            raise Invalid(sentence, errors=(FieldError(f"/{name}", sentence),))


def _with_plain_name(disposition: bytes) -> bytes:
    """The header with the file's name written plainly, where it is there in the extended way alone."""
    text = disposition.decode("latin-1")
    found = _EXTENDED.search(text)
    if found is None or re.search(r";\s*filename\s*=", text, re.IGNORECASE):
        return disposition
    name = unquote(found[1]).replace("\\", "").replace('"', "")
    return disposition + b'; filename="' + name.encode() + b'"'
