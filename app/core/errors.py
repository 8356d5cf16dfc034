"""Errors that a person can act on. The HTTP side turns each into a problem document."""

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar


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
        self.errors = errors
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


class TooLarge(ForgerError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    title = "Too large"


class UnsupportedMedia(ForgerError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media"
    title = "Unsupported media type"


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


class FencedOut(Exception):
    """Another attempt holds the job, or it has ended: the caller must leave without another write."""
