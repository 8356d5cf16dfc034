"""The OpenAPI document: FastAPI's own, with our refusals, examples, and names that generators can use."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.models import Schema
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.api.headers import OPEN, SAFE
from app.api.openapi import examples
from app.api.openapi.refusals import refused
from forger.schemas.base import MARK, Problem
from models.spec.recipe import Recipe

Json = dict[str, Any]
KEY = {"type": "http", "scheme": "bearer", "description": "FORGER_API_KEY, of services that were started with one."}
TAGS = {
    "jobs": "Train, evaluate, generate and translate; follow, pause, extend and delete jobs.",
    "experiments": "Many jobs by one request, summarised over their seeds.",
    "compare": "Jobs beside each other.",
    "inference": "Draw from a model, and translate pictures.",
    "models": "Published models and their versions.",
    "catalogue": "Families of recipes, datasets and limits.",
    "health": "The process, its parts and its metrics.",
}
NAMES = {
    "Points": "PointsData",
    "models__spec__data__Paired": "PairedData",
    "models__spec__data__Unpaired": "UnpairedData",
    "models__spec__games__Paired": "PairedGame",
    "models__spec__games__Unpaired": "UnpairedGame",
    "Listed_Class_": "ListedClasses",
    "Listed_Corrupt_": "ListedCorrupt",
    "Listed_list_str__": "ListedGroups",
    "Listed_str_": "ListedNames",
    "Body_translatePicture": "TranslateForm",
}
"""public names of schemas whose class names are not unique, or are FastAPI's own"""

_REF = "#/components/schemas/"
_VALUES = ("example", "examples", "default", "const", "enum")
"""hold values, in which a title is a title"""
_NAMED = ("properties", "mapping")
"""hold names of ours"""


def operation_id(route: APIRoute) -> str:
    """Return the operation's public name: `getJob` for a route function `get_job`."""
    first, *rest = route.name.split("_")
    return first + "".join(map(str.capitalize, rest))


def openapi_of(app: FastAPI) -> Json:
    """Return the application's OpenAPI document; it is built once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            servers=app.servers or [{"url": "/"}],
            tags=[{"name": name, "description": description} for name, description in TAGS.items()],
            separate_input_output_schemas=False,
        )
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"key": KEY}
        document["security"] = [{"key": []}, {}]
        schemas = components.setdefault("schemas", {})
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        for model in (Problem, Recipe):
            described = _as_fastapi(model.model_json_schema(ref_template=_REF + "{model}"))
            schemas.update(described.pop("$defs"), **{model.__name__: described})
        for path, room in document["paths"].items():
            for method, operation in room.items():
                _describe(path, method, operation)
        app.openapi_schema = _named(document)
    return app.openapi_schema


def _as_fastapi(schema: Json) -> Json:
    """Write a schema as `get_openapi` writes those of routes."""
    written: Json = jsonable_encoder(Schema.model_validate(schema), by_alias=True, exclude_none=True)
    return written


def _named(document: Json) -> Json:
    """Give each schema its public name, which is also its title: generators drop schemas whose titles repeat."""
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {NAMES.get(name, name): schema for name, schema in schemas.items()}
    _refer(document["components"]["schemas"], names=True)
    _refer(document["paths"], names=True)
    for name, schema in document["components"]["schemas"].items():
        schema["title"] = name
    return document


def _refer(part: Any, *, names: bool = False) -> None:
    """Point references at the public names, and drop the titles that FastAPI makes of fields' names.

    A JSON object with the mark of a schema becomes a reference to that schema.

    `names`: the keys of this mapping are names of ours, not keywords of JSON Schema.
    """
    if isinstance(part, list):
        for one in part:
            _refer(one)
    elif isinstance(part, dict):
        if not names:
            part.pop("title", None)
            if (schema := part.pop(MARK, None)) is not None:
                del part["type"], part["additionalProperties"]
                part["$ref"] = _REF + schema
        for name, value in part.items():
            if name in _VALUES and not names:
                continue
            if isinstance(value, str) and value.startswith(_REF):
                part[name] = _REF + NAMES.get(value.removeprefix(_REF), value.removeprefix(_REF))
            else:
                _refer(value, names=name in _NAMED and not names)


def _describe(path: str, method: str, operation: Json) -> None:
    """The docstring's first sentence is the summary; every refusal and an example of every body are there."""
    summary, _, rest = " ".join(operation["description"].split()).partition(". ")
    operation |= {"summary": summary.rstrip("."), "description": rest or summary}
    if path in OPEN:
        operation["security"] = []
    operation["responses"].pop("422", None)
    usual = {str(status): reply for status, reply in refused(*_usual(path, method, operation)).items()}
    operation["responses"] = dict(sorted((usual | operation["responses"]).items()))
    for parameter in operation.get("parameters", ()):
        if (example := examples.parameter(path, parameter["name"])) is not None:
            parameter["example"] = example
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media_type, media in body.get("content", {}).items():
            if media_type.startswith("image/"):
                media.setdefault("schema", {"type": "string", "format": "binary"})
            name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name in examples.bodies():
                media["example"] = examples.bodies()[name]


def _usual(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """What every operation of this shape may answer."""
    yield from (400, 401, 421, 500, 507)
    if method.upper() not in SAFE:
        yield 403
    if "{" in path:
        yield 404
    if "parameters" in operation or "requestBody" in operation:
        yield 422
    if "requestBody" in operation:
        yield from (408, 413, 415)
