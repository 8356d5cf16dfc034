"""Derive JSON schemas of a route's parameters from its signature."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Protocol

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from models.spec import wording


class _Field(Protocol):
    """FastAPI's description of a parameter or a body."""

    @property
    def alias(self) -> str: ...

    @property
    def field_info(self) -> FieldInfo: ...


def query_names(route: APIRoute) -> set[str]:
    """Return the names of the route's query parameters, without those inside an object."""
    return {field.alias for part in _dependants(route.dependant) for field in part.query_params}


def accepted_input(route: APIRoute) -> Mapping[str, Mapping[str, Any]]:
    """Return the JSON Schema, of an object, of a route's body, query, path, headers and cookies.

    It takes a millisecond; the whole OpenAPI document, which also contains it, takes a second.
    """
    fields_by_place: dict[str, list[_Field]] = {place: [] for place in ("query", "path", "header", "cookie")}
    for part in _dependants(route.dependant):
        fields_by_place["query"] += part.query_params
        fields_by_place["path"] += part.path_params
        fields_by_place["header"] += part.header_params
        fields_by_place["cookie"] += part.cookie_params
    schemas = {place: wording.without_null(_object(fields)) for place, fields in fields_by_place.items()}
    return schemas | {"body": _schema(route.body_field) if route.body_field else {}}


def _dependants(first: Dependant) -> Iterator[Dependant]:
    yield first
    for other in first.dependencies:
        yield from _dependants(other)


def _object(fields: Iterable[_Field]) -> dict[str, Any]:
    """Return the schema of an object with these fields; a field that is an object is replaced by its own fields."""
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
