"""Errors that a person can act on. The HTTP side turns each into a problem document."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from app.core.limits import ERRORS
from data.errors import Refused, WrongMedia

POINTER_LENGTH, MESSAGE_LENGTH = 300, 1000
"""characters told of a pointer and of a message: both may repeat what a client sent"""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused part of the input: a JSON pointer and a sentence."""

    pointer: str
    message: str


class ForgerError(Exception):
    """`detail` is a sentence for the person; `code` a word for the program."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    default_code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.errors = told(errors)
        self.headers = headers or {}


class NotFound(ForgerError):
    status = HTTPStatus.NOT_FOUND
    default_code = "not_found"
    title = "Not found"


class Conflict(ForgerError):
    status = HTTPStatus.CONFLICT
    default_code = "conflict"
    title = "Conflict"


class Invalid(ForgerError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "invalid"
    title = "Invalid request"


def told(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Return each error once, at most ERRORS of them, none of them long."""
    return tuple(_cut(error) for error in tuple(dict.fromkeys(errors))[:ERRORS])


def _cut(error: FieldError) -> FieldError:
    return FieldError(_shorter(error.pointer, POINTER_LENGTH), _shorter(error.message, MESSAGE_LENGTH))


def _shorter(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def refused(intro: str, errors: Iterable[FieldError], code: str | None = None) -> Invalid:
    """Return an Invalid whose detail holds the error where it is the only one, else their number."""
    distinct = tuple(dict.fromkeys(errors))
    if len(distinct) == 1:
        (only,) = told(distinct)
        named = f"{only.pointer or 'The body'}: {only.message.rstrip('.')}."
    else:
        listed = f"the first {ERRORS}" if len(distinct) > ERRORS else "them"
        named = f"{len(distinct)} parts of it are wrong: `errors` lists {listed}."
    return Invalid(f"{intro} {named}", code=code, errors=distinct)


class TooLarge(ForgerError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    title = "Too large"


class UnsupportedMedia(ForgerError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media"
    title = "Unsupported media type"


def refused_file(error: Refused) -> Invalid | UnsupportedMedia:
    """Return the error to answer with where an uploaded file is refused."""
    kind = UnsupportedMedia if isinstance(error, WrongMedia) else Invalid
    return kind(error.detail, code=error.code, errors=(FieldError(error.pointer, error.detail),))


class NotAcceptable(ForgerError):
    status = HTTPStatus.NOT_ACCEPTABLE
    default_code = "not_acceptable"
    title = "Not acceptable"


class NotReady(ForgerError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "not_ready"
    title = "Not ready"


class NoEngine(NotReady):
    """This process will never draw; another one may."""

    default_code = "no_engine"


class Busy(ForgerError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    default_code = "busy"
    title = "Busy"

    def __init__(self, detail: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(max(1, math.ceil(retry_after)))})
        self.retry_after = retry_after


class NoRoom(ForgerError):
    """A disk, a quota or a database is full."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    default_code = "no_room"
    title = "No room"


class FencedOut(Exception):
    """Another attempt holds the job, or it has ended: the caller must leave without another write."""
