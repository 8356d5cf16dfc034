"""Read a route's parameters off its signature, as JSON schema."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Protocol

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from models.spec import wording


class _Field(Protocol):
    """What FastAPI knows of a parameter or of a body."""

    @property
    def alias(self) -> str: ...

    @property
    def field_info(self) -> FieldInfo: ...


def parameters(route: APIRoute) -> set[str]:
    """The names of its query; those inside of an object are not among them."""
    return {field.alias for part in _dependants(route.dependant) for field in part.query_params}


def taken(route: APIRoute) -> Mapping[str, Mapping[str, Any]]:
    """What a route takes in its body, its query and elsewhere, each as the JSON Schema of an object.

    Of the OpenAPI document it is a small part: made in a millisecond, and the whole in a second.
    """
    found: dict[str, list[_Field]] = {where: [] for where in ("query", "path", "header", "cookie")}
    for part in _dependants(route.dependant):
        found["query"] += part.query_params
        found["path"] += part.path_params
        found["header"] += part.header_params
        found["cookie"] += part.cookie_params
    schemas = {where: wording.without_null(_object(fields)) for where, fields in found.items()}
    return schemas | {"body": _schema(route.body_field) if route.body_field else {}}


def _dependants(first: Dependant) -> Iterator[Dependant]:
    yield first
    for other in first.dependencies:
        yield from _dependants(other)


def _object(fields: Iterable[_Field]) -> dict[str, Any]:
    """Of an object with these fields; one that is an object itself stands for its own."""
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for field in fields:
        schema = _schema(field)
        definitions |= schema.pop("$defs", {})
        properties |= schema.get("properties", {field.alias: schema})
    return {"type": "object", "properties": properties, "$defs": definitions}


def _schema(field: _Field) -> dict[str, Any]:
    kind: Any = Annotated[field.field_info.annotation, field.field_info]
    return TypeAdapter(kind).json_schema()
