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

from app.api.headers import PROTECTIVE_HEADERS
from app.api.openapi.refusals import PROBLEM_MEDIA_TYPE
from app.api.openapi.signature import accepted_input
from app.core import errors as errors_
from app.core.disk_full import no_room
from app.core.errors import FieldError, ForgerError, Invalid, NoRoom
from app.core.logging import get_logger
from models.spec import wording
from models.spec.wording import Refusal

log = get_logger(__name__)

CLIENT_DISCONNECTED = 499
"""status that servers log for a client that has disconnected; no reply has it"""
REQUEST_ID = "X-Request-Id"
_TYPE_PREFIX = "urn:forger:problem:"
_SENTENCES = {
    404: "This address does not exist; GET / lists the addresses.",
    503: "The database does not answer; running jobs go on. Try again soon.",
    500: "Something failed in the service; its log says what, under this request id.",
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
    """Return a problem document as a reply; `extra` are its extension members."""
    phrase = HTTPStatus(status).phrase
    code = code or _CODES.get(status) or phrase.lower().replace(" ", "_").replace("-", "_")
    request_id = request_id_of(scope)
    body = {
        "type": _TYPE_PREFIX + code,
        "title": title or phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": [{"pointer": error.pointer, "message": error.message} for error in errors],
        **extra,
    }
    # ASCII only: repeated input of a client may contain code points that UTF-8 cannot encode.
    content = json.dumps(body, ensure_ascii=True).encode()
    return Response(
        content, status, {REQUEST_ID: request_id, **PROTECTIVE_HEADERS, **(headers or {})}, PROBLEM_MEDIA_TYPE
    )


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def install_handlers(app: FastAPI) -> None:
    """Handle every exception, including starlette's HTTPException (404, 405, 413)."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _internal_error)


async def problem_for(request: Request, error: Exception) -> Response:
    """Return the reply to an error that was raised outside FastAPI's routing. Raises the error if it has no handler."""
    for kind in type(error).__mro__:
        if kind in _HANDLERS:
            return await _HANDLERS[kind](request, error)
    raise error


async def _forger_error(request: Request, error: Exception) -> Response:
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
    # FastAPI raises 400 for any error while it reads a form.
    if (refusal := no_room(error)) is not None:
        return await _full(request, refusal, error)
    sentence = error.detail.rstrip(".") + "."
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request) or headers["Allow"]
        sentence = f"This address does not accept that method; it accepts {headers['Allow']}."
    return problem(request.scope, error.status_code, _SENTENCES.get(error.status_code, sentence), headers=headers)


def _allowed(request: Request) -> str:
    """Return the Allow header: the methods of all routes at this address (RFC 9110), for each route has only one.

    An address that is a path of the document itself, as /models/import is, has that path's methods.
    """
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    own = paths.get(request.scope["path"])
    matching = [operations for path, operations in paths.items() if _matches(path, request)] if own is None else [own]
    methods = {method.upper() for operations in matching for method in operations}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _matches(path: str, request: Request) -> bool:
    return compile_path(path)[0].match(request.scope["path"]) is not None


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
    return await _forger_error(request, refusal)


async def _client_left(request: Request, error: Exception) -> Response:
    """Return a reply for the log and the metrics only: the client has disconnected."""
    return Response(status_code=CLIENT_DISCONNECTED)


async def _internal_error(request: Request, error: Exception) -> Response:
    return problem(request.scope, 500, _SENTENCES[500])


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    schemas = accepted_input(request.scope["route"])
    refusals = (
        wording.refusals([{**item, "loc": steps}], schemas[place])
        for item in error.errors()
        for place, *steps in [item["loc"]]
    )
    return await _forger_error(request, as_invalid(chain.from_iterable(refusals)))


_HANDLERS: Mapping[type, Callable[[Request, Exception], Awaitable[Response]]] = {
    ForgerError: _forger_error,
    RequestValidationError: _validation,
    HTTPException: _http,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    NoConnectionInTime: _database_away,
    OSError: _system,
    ClientDisconnect: _client_left,
}


def as_invalid(refusals: Iterable[Refusal]) -> Invalid:
    """Return refused values as one Invalid."""
    return errors_.invalid_request(
        "The request was refused.", (FieldError(one.pointer, one.message) for one in refusals)
    )
