"""Parse, bound and validate JSON bodies before FastAPI does, large ones off the event loop."""

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
from app.core.limits import MAX_JSON_DEPTH, MAX_JSON_VALUES
from models.spec.wording import pointer, refusals, schema_of

MEDIA_TYPE = "application/json"
LARGE_BODY_BYTES = 16 << 10
"""bytes from which on a body is validated on a thread"""
_one_thread = CapacityLimiter(1)
"""limits validation to one thread: more would only keep the interpreter's lock from the event loop for longer"""

Steps = tuple[int | str, ...]


class JsonRoute(APIRoute):
    """A route whose body is validated as the type in its signature."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()
        if self.body_field is None or isinstance(self.body_field.field_info, params.Form):
            return handle
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, self.body_field.field_info.annotation))

        async def checked(request: Request) -> Response:
            if media_type(request) == MEDIA_TYPE and (body := await request.body()):
                # request.json() caches its result here; FastAPI accepts a value of the right type as it is.
                request._json = await _off_loop(validated_body, body, adapter)
            return await handle(request)

        return checked


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _off_loop(check: Callable[[bytes, TypeAdapter[Any]], Any], body: bytes, adapter: TypeAdapter[Any]) -> Any:
    if len(body) < LARGE_BODY_BYTES:
        return check(body, adapter)
    return await anyio.to_thread.run_sync(check, body, adapter, limiter=_one_thread)


def validated_body(body: bytes, adapter: TypeAdapter[Any]) -> Any:
    """Return the body as the adapter's type. Raises Invalid, or HTTPException as `parse_json` does."""
    value = parse_json(body)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise as_invalid(refusals(error.errors(include_url=False), schema_of(adapter))) from None


def parse_json(body: bytes) -> Any:
    """Return the JSON value. Raises Invalid if it is no JSON, repeats a key, is too deep or has too many values.

    Raises HTTPException 400 if the body is no text or contains a number of thousands of digits.
    """
    # One of these precedes each value. They are counted first, because parsing holds the interpreter's lock.
    if sum(map(body.count, (b",", b"[", b"{"))) > 2 * MAX_JSON_VALUES + 1:
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


class _RepeatedKey(dict[str, Any]):
    """A JSON object that repeats a key."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) == len(pairs):
        return parsed
    repeated = _RepeatedKey(parsed)
    repeated.key = _first_repeated(key for key, _ in pairs)
    return repeated


def _first_repeated(keys: Iterable[str]) -> str:
    previous: set[str] = set()
    return next(key for key in keys if key in previous or previous.add(key))  # type: ignore[func-returns-value]


def _measure(value: Any) -> None:
    """Raise Invalid if the value exceeds the bounds. Only lists and objects are visited, not their plain values."""
    waiting: list[tuple[Steps, Any]] = [((), value)]
    count = 0
    while waiting:
        steps, part = waiting.pop()
        if isinstance(part, _RepeatedKey):
            raise _refused((*steps, part.key), "The key is there twice: name it once")
        if not isinstance(part, dict | list):
            continue
        count += len(part)
        if count > MAX_JSON_VALUES:
            raise _too_many()
        if len(steps) >= MAX_JSON_DEPTH:
            raise _too_deep()
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        waiting.extend(((*steps, step), child) for step, child in inside if isinstance(child, dict | list))


def _too_many() -> Invalid:
    return _refused((), f"A body has at most {MAX_JSON_VALUES} values (values): send less")


def _too_deep() -> Invalid:
    return _refused(
        (), f"Lists and objects stand inside each other at most {MAX_JSON_DEPTH} times (depth): send a flatter body"
    )


def _refused(steps: Steps, sentence: str) -> Invalid:
    at = pointer(steps)
    detail = f"The request was refused. {at or 'The body'}: {sentence}."
    return Invalid(detail, errors=(FieldError(at, sentence),))
