"""Define the errors that a person can act on. The API answers each as a problem document."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from app.core.limits import MAX_REPORTED_ERRORS
from data.errors import Refused, WrongMedia

MAX_POINTER_CHARACTERS, MAX_MESSAGE_CHARACTERS = 300, 1000
"""characters kept of a pointer and of a message: both may repeat input of the client"""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused part of the input: a JSON pointer and a sentence."""

    pointer: str
    message: str


class ForgerError(Exception):
    """An error that the API reports: `detail` is a sentence for the person, `code` a word for the program."""

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
        self.errors = shortened(errors)
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


def shortened(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Return each error once, at most MAX_REPORTED_ERRORS of them, with long texts cut."""
    return tuple(_shortened_error(error) for error in tuple(dict.fromkeys(errors))[:MAX_REPORTED_ERRORS])


def _shortened_error(error: FieldError) -> FieldError:
    return FieldError(
        _truncated(error.pointer, MAX_POINTER_CHARACTERS), _truncated(error.message, MAX_MESSAGE_CHARACTERS)
    )


def _truncated(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def invalid_request(intro: str, errors: Iterable[FieldError], code: str | None = None) -> Invalid:
    """Return an Invalid whose detail names the error if there is only one, else their number."""
    distinct = tuple(dict.fromkeys(errors))
    if len(distinct) == 1:
        (only,) = shortened(distinct)
        summary = f"{only.pointer or 'The body'}: {only.message.rstrip('.')}."
    else:
        listed = f"the first {MAX_REPORTED_ERRORS}" if len(distinct) > MAX_REPORTED_ERRORS else "them"
        summary = f"{len(distinct)} parts of it are wrong: `errors` lists {listed}."
    return Invalid(f"{intro} {summary}", code=code, errors=distinct)


class TooLarge(ForgerError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    title = "Too large"


class UnsupportedMedia(ForgerError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media"
    title = "Unsupported media type"


def file_refusal(error: Refused) -> Invalid | UnsupportedMedia:
    """Return the API's error for a refused file of an upload."""
    kind = UnsupportedMedia if isinstance(error, WrongMedia) else Invalid
    return kind(error.detail, code=error.code, errors=(FieldError(error.pointer, error.detail),))


class Unauthorized(ForgerError):
    """The key is missing or wrong."""

    status = HTTPStatus.UNAUTHORIZED
    default_code = "key_wrong"
    title = "Unauthorized"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "Bearer"})


class NotAcceptable(ForgerError):
    status = HTTPStatus.NOT_ACCEPTABLE
    default_code = "not_acceptable"
    title = "Not acceptable"


class NotReady(ForgerError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "not_ready"
    title = "Not ready"


class NoEngine(NotReady):
    """This process has no inference engine and never gets one; another process may have one."""

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
    """Another attempt owns the job, or the job has ended: the caller must stop without another write."""
