"""JSON bodies: read, measured and checked before FastAPI sees them, large ones away from the event loop."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Request, Response, params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from app.api.problems import as_invalid
from app.core.errors import FieldError, Invalid
from app.core.limits import DEPTH, VALUES
from models.spec.wording import pointer, refusals, schema_of

MEDIA_TYPE = "application/json"
LARGE = 16 << 10
"""Bytes from which on a body is checked on a thread."""
_one = CapacityLimiter(1)
"""Threads that check bodies: more would only keep the event loop longer from the interpreter's lock."""

Steps = tuple[int | str, ...]


class JsonRoute(APIRoute):
    """A route whose body is checked as the type that its signature names."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()
        if self.body_field is None or isinstance(self.body_field.field_info, params.Form):
            return handle
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, self.body_field.field_info.annotation))

        async def checked(request: Request) -> Response:
            if media_type(request) == MEDIA_TYPE and (body := await request.body()):
                # Where request.json() keeps what it has read: FastAPI takes a value of the right type as it is.
                request._json = await _aside(checked_body, body, adapter)
            return await handle(request)

        return checked


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _aside(check: Callable[[bytes, TypeAdapter[Any]], Any], body: bytes, adapter: TypeAdapter[Any]) -> Any:
    if len(body) < LARGE:
        return check(body, adapter)
    return await anyio.to_thread.run_sync(check, body, adapter, limiter=_one)


def checked_body(body: bytes, adapter: TypeAdapter[Any]) -> Any:
    """Return the body as the adapter's type. Raises Invalid, and HTTPException as `read` does."""
    value = read(body)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise as_invalid(refusals(error.errors(include_url=False), schema_of(adapter))) from None


def read(body: bytes) -> Any:
    """Return the JSON value. Raises Invalid where it is none, names a key twice, is too deep or has too many values.

    Raises HTTPException 400 for what is no text and for a number of thousands of digits.
    """
    # Each value stands behind one of these. Counted before they are parsed, which holds the interpreter's lock.
    if sum(map(body.count, (b",", b"[", b"{"))) > 2 * VALUES + 1:
        raise _too_many()
    try:
        value = json.loads(body, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise _refused((), f"This is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise HTTPException(400, f"The body cannot be read: {error}") from None
    _measure(value)
    return value


class _Doubled(dict[str, Any]):
    """An object that names a key twice."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled = _Doubled(made)
    doubled.key = _first_twice(key for key, _ in pairs)
    return doubled


def _first_twice(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _measure(value: Any) -> None:
    """Raises Invalid. The lists and objects are measured here, before anything looks at what is in them."""
    waiting: list[tuple[Steps, Any]] = [((), value)]
    count = 0
    while waiting:
        steps, part = waiting.pop()
        if isinstance(part, _Doubled):
            raise _refused((*steps, part.key), "The key is there twice: name it once")
        if not isinstance(part, dict | list):
            continue
        count += len(part)
        if count > VALUES:
            raise _too_many()
        if len(steps) >= DEPTH:
            raise _too_deep()
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        waiting.extend(((*steps, step), each) for step, each in inside if isinstance(each, dict | list))


def _too_many() -> Invalid:
    return _refused((), f"A body has at most {VALUES} values (values): send less")


def _too_deep() -> Invalid:
    return _refused((), f"Lists and objects stand inside each other at most {DEPTH} times (depth): send a flatter body")


def _refused(steps: Steps, sentence: str) -> Invalid:
    at = pointer(steps)
    detail = f"The request was refused. {at or 'The body'}: {sentence}."
    return Invalid(detail, errors=(FieldError(at, sentence),))
