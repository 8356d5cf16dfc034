"""Read multipart forms with bounds before FastAPI does, and word refusals."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import Any
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.openapi.signature import accepted_input
from app.api.requests.json_bodies import media_type
from app.api.requests.unknown_names import require_known
from app.core.errors import FieldError, Invalid, UnsupportedMedia
from models.spec.wording import FILE_DESCRIPTION

MEDIA_TYPE = "multipart/form-data"
MAX_FIELDS = 8
MAX_FIELD_BYTES = 1024
SEND_MANY_HINT = "send many pictures to POST /jobs, as parts called file beside the field job."
_EXTENDED_FILENAME = re.compile(r";\s*filename\*\s*=\s*\"?[\w-]*'[^']*'([^;\"]*)\"?", re.IGNORECASE)
"""a file name in the form of RFC 5987: charset, language, percent-encoded text"""


class BoundedFormParser(MultiPartParser):
    """A parser of forms with at most MAX_FIELDS small fields and `files` files; `beyond` advises what to do with more.

    It accepts file names in the form of RFC 5987, which some clients send although RFC 7578 forbids it in forms.
    """

    def __init__(
        self,
        headers: Headers,
        body: AsyncGenerator[bytes, None],
        beyond: str,
        files: int = 1,
        field_bytes: int = MAX_FIELD_BYTES,
    ) -> None:
        super().__init__(headers, body, max_files=files, max_fields=MAX_FIELDS, max_part_size=field_bytes)
        self._beyond = beyond

    async def parse(self) -> FormData:
        """Return the form. Raises Invalid, or HTTPException 400 if the body is no form or exceeds the bounds."""
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
        if self._current_fields >= MAX_FIELDS:
            raise MultiPartException(
                f"it has more than {MAX_FIELDS} fields. Send {FILE_DESCRIPTION} and few small fields."
            )
        super().on_headers_finished()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > self.max_part_size:
            if part.field_name == "file":
                raise missing_file(f"'file' is {len(part.data) + end - start} bytes or more without a filename")
            raise MultiPartException(f"the field '{part.field_name[:80]}' is longer than {self.max_part_size} bytes.")
        super().on_part_data(data, start, end)


def missing_file(problem: str) -> Invalid:
    sentence = f"{problem}: write {FILE_DESCRIPTION}."
    return Invalid(f"The request was refused. {sentence}", errors=(FieldError("/file", sentence),))


class FormRoute(APIRoute):
    """A route whose body is a form."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle, fields = super().get_route_handler(), accepted_input(self)["body"]
        files = most_files(fields)

        async def read(request: Request) -> Response:
            await require_form(request)
            form = await BoundedFormParser(
                request.headers, request.stream(), SEND_MANY_HINT, sum(files.values())
            ).parse()
            try:
                require_known(field_values(form), fields)
                require_once(form, {name for name, most in files.items() if most > 1})
                # request.form() caches its result here.
                request._form = form
                return await handle(request)
            finally:
                await form.close()

        return read


async def require_form(request: Request) -> None:
    """Raise UnsupportedMedia if the body is no form."""
    if (sent := media_type(request)) != MEDIA_TYPE:
        raise UnsupportedMedia(
            f"Send the body as a form, {MEDIA_TYPE}, not as {sent[:80] or 'nothing named'}: curl -F file=@photo.jpg "
            "writes one."
        )


def field_values(form: FormData) -> list[tuple[str, str]]:
    """Return the form's parts by name, each with its value or its file name."""
    return [(name, part if isinstance(part, str) else part.filename or "") for name, part in form.multi_items()]


def most_files(schema: Mapping[str, Any]) -> dict[str, int]:
    """Return the fields of a form's schema that are files, each with its greatest number of them."""
    by_name = {name: field.get("items", field) for name, field in schema.get("properties", {}).items()}
    return {
        name: schema["properties"][name].get("maxItems", 1)
        for name, field in by_name.items()
        if "contentMediaType" in field
    }


def require_once(form: FormData, repeatable: Collection[str] = ()) -> None:
    """Raise Invalid if a field occurs twice that is not `repeatable`."""
    names = [name for name, _ in form.multi_items() if name not in repeatable]
    for name in names:
        if names.count(name) > 1:
            sentence = "The field is there twice: send it once."
            raise Invalid(sentence, errors=(FieldError(f"/{name}", sentence),))


def _with_plain_name(disposition: bytes) -> bytes:
    """Return the header with a plain file name added if it has only an extended one."""
    text = disposition.decode("latin-1")
    match = _EXTENDED_FILENAME.search(text)
    if match is None or re.search(r";\s*filename\s*=", text, re.IGNORECASE):
        return disposition
    name = unquote(match[1]).replace("\\", "").replace('"', "")
    return disposition + b'; filename="' + name.encode() + b'"'
