"""Answer every error as application/problem+json (RFC 9457)."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionInTime
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Scope

from app.api.headers import PROTECTIVE
from app.api.openapi.refusals import MEDIA_TYPE
from app.api.openapi.signature import taken
from app.core import errors as errors_
from app.core.disk_full import no_room
from app.core.errors import FieldError, ForgerError, Invalid, NoRoom
from app.core.logging import get_logger
from models.spec import wording
from models.spec.wording import Refusal

log = get_logger(__name__)

CLIENT_LEFT = 499
"""what servers write where the client hung up; no reply has it"""
REQUEST_ID = "X-Request-Id"
_KINDS = "urn:forger:problem:"
_SENTENCES = {
    404: "Nothing is here; GET / names the addresses.",
    503: "The database does not answer; jobs that run go on, ask again soon.",
    500: "Something failed on our side; the log tells what, under this request id.",
}
_CODES = {413: "too_large", 415: "unsupported_media", 422: "invalid", 500: "internal_error"}


def problem(
    scope: Scope,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    title: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Response:
    """`extra` are extension members of the document."""
    phrase = HTTPStatus(status).phrase
    code = code or _CODES.get(status) or phrase.lower().replace(" ", "_").replace("-", "_")
    request_id = request_id_of(scope)
    body = {
        "type": _KINDS + code,
        "title": title or phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": [{"pointer": error.pointer, "message": error.message} for error in errors],
        **extra,
    }
    # ASCII only: what a client sent and we echo may hold code points that UTF-8 cannot carry.
    content = json.dumps(body, ensure_ascii=True).encode()
    return Response(content, status, {REQUEST_ID: request_id, **PROTECTIVE, **(headers or {})}, MEDIA_TYPE)


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def install(app: FastAPI) -> None:
    """Handle every exception, including starlette's own HTTPException (404, 405, 413)."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _unforeseen)


async def answer(request: Request, error: Exception) -> Response:
    """The reply to what was raised outside of FastAPI's own way. Raises it again where it was not foreseen."""
    for kind in type(error).__mro__:
        if kind in _HANDLERS:
            return await _HANDLERS[kind](request, error)
    raise error


async def _forger(request: Request, error: Exception) -> Response:
    assert isinstance(error, ForgerError)
    return problem(
        request.scope,
        error.status,
        error.detail,
        code=error.code,
        title=error.title,
        errors=error.errors,
        headers=error.headers,
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # FastAPI says 400 whatever stopped it while it read a form.
    if (refusal := no_room(error)) is not None:
        return await _full(request, refusal, error)
    plain = error.detail.rstrip(".") + "."
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request) or headers["Allow"]
        plain = f"This address does not take that method; it takes {headers['Allow']}."
    return problem(request.scope, error.status_code, _SENTENCES.get(error.status_code, plain), headers=headers)


def _allowed(request: Request) -> str:
    """Each of our routes knows one method; the header names those of all at this address (RFC 9110)."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    here = [room for path, room in paths.items() if compile_path(path)[0].match(request.scope["path"])]
    known = {method.upper() for operations in here for method in operations}
    return ", ".join(sorted(known | ({"HEAD"} if "GET" in known else set())))


async def _database_away(request: Request, error: Exception) -> Response:
    if (refusal := no_room(error)) is not None:
        return await _full(request, refusal, error)
    log.error("database_away", error=str(error))
    return problem(request.scope, 503, _SENTENCES[503], code="database_away", headers={"Retry-After": "2"})


async def _system(request: Request, error: Exception) -> Response:
    if (refusal := no_room(error)) is None:
        raise error
    return await _full(request, refusal, error)


async def _full(request: Request, refusal: NoRoom, error: Exception) -> Response:
    log.error("no_room", error=str(error))
    return await _forger(request, refusal)


async def _client_left(request: Request, error: Exception) -> Response:
    """For the log and the metrics: nobody reads it."""
    return Response(status_code=CLIENT_LEFT)


async def _unforeseen(request: Request, error: Exception) -> Response:
    return problem(request.scope, 500, _SENTENCES[500])


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    known = taken(request.scope["route"])
    found = (
        wording.refusals([{**item, "loc": steps}], known[where])
        for item in error.errors()
        for where, *steps in [item["loc"]]
    )
    return await _forger(request, as_invalid(chain.from_iterable(found)))


_HANDLERS: Mapping[type, Callable[[Request, Exception], Awaitable[Response]]] = {
    ForgerError: _forger,
    RequestValidationError: _validation,
    HTTPException: _http,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    NoConnectionInTime: _database_away,
    OSError: _system,
    ClientDisconnect: _client_left,
}


def as_invalid(refusals: Iterable[Refusal]) -> Invalid:
    """Return refused values as an error of ours."""
    return errors_.refused("The request was refused.", (FieldError(one.pointer, one.message) for one in refusals))
