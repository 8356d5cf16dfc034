"""Build the OpenAPI document: FastAPI's, with refusals, examples, and names that generators can use."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.models import Schema
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.api.headers import OPEN_PATHS, SAFE_METHODS
from app.api.openapi import examples
from app.api.openapi.refusals import refusal_responses
from forger.schemas.base import SCHEMA_MARK, Problem
from models.spec.recipe import Recipe

Json = dict[str, Any]
KEY = {"type": "http", "scheme": "bearer", "description": "FORGER_API_KEY, if the service was started with one."}
TAGS = {
    "jobs": "Train, evaluate, generate and translate; follow, pause, extend and delete jobs.",
    "experiments": "Many jobs by one request, summarised over their seeds.",
    "augmentations": "Labelled pictures for a dataset, and whether they help a classifier.",
    "compare": "Several jobs compared.",
    "inference": "Draw from a model; translate, enlarge, complete and describe pictures.",
    "models": "Published models and their versions.",
    "catalogue": "Recipe families, datasets and limits.",
    "session": "A cookie in place of the key, for browsers.",
    "health": "The process, its parts and its metrics.",
}
SCHEMA_NAMES = {
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
    "Body_upscalePicture": "UpscaleForm",
    "Body_inpaintPicture": "InpaintForm",
    "Body_computeFeatures": "FeaturesForm",
    "Body_invertPicture": "InversionForm",
    "Body_findNearestPictures": "NearestForm",
}
"""public names of schemas whose class names are not unique or come from FastAPI"""

_REF = "#/components/schemas/"
_VALUES = ("example", "examples", "default", "const", "enum")
"""keywords with values, in which `title` is a plain key"""
_NAMED = ("properties", "mapping")
"""keywords whose keys are names, not keywords"""


def operation_id(route: APIRoute) -> str:
    """Return the operation's public name: `getJob` for a route function `get_job`."""
    first, *rest = route.name.split("_")
    return first + "".join(map(str.capitalize, rest))


def build_openapi(app: FastAPI) -> Json:
    """Return the application's OpenAPI document, which is built once."""
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
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _describe(path, method, operation)
        app.openapi_schema = _with_public_names(document)
    return app.openapi_schema


def _as_fastapi(schema: Json) -> Json:
    """Return a schema in the form in which `get_openapi` writes those of routes."""
    written: Json = jsonable_encoder(Schema.model_validate(schema), by_alias=True, exclude_none=True)
    return written


def _with_public_names(document: Json) -> Json:
    """Give each schema its public name, also as its title: generators drop schemas with repeated titles."""
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {SCHEMA_NAMES.get(name, name): schema for name, schema in schemas.items()}
    _rewrite_references(document["components"]["schemas"], names=True)
    _rewrite_references(document["paths"], names=True)
    for name, schema in document["components"]["schemas"].items():
        schema["title"] = name
    return document


def _rewrite_references(part: Any, *, names: bool = False) -> None:
    """Point references to the public names, and drop the titles that FastAPI derives from fields' names.

    A JSON object with SCHEMA_MARK becomes a reference to the marked schema.

    `names`: the keys of this mapping are names, not keywords of JSON Schema.
    """
    if isinstance(part, list):
        for item in part:
            _rewrite_references(item)
    elif isinstance(part, dict):
        if not names:
            part.pop("title", None)
            if (schema := part.pop(SCHEMA_MARK, None)) is not None:
                del part["type"], part["additionalProperties"]
                part["$ref"] = _REF + schema
        for name, value in part.items():
            if name in _VALUES and not names:
                continue
            if isinstance(value, str) and value.startswith(_REF):
                part[name] = _REF + SCHEMA_NAMES.get(value.removeprefix(_REF), value.removeprefix(_REF))
            else:
                _rewrite_references(value, names=name in _NAMED and not names)


def _describe(path: str, method: str, operation: Json) -> None:
    """Complete an operation: its docstring's first sentence as summary, all refusals, an example of each body."""
    summary, _, rest = " ".join(operation["description"].split()).partition(". ")
    operation |= {"summary": summary.rstrip("."), "description": rest or summary}
    if path in OPEN_PATHS:
        operation["security"] = []
    operation["responses"].pop("422", None)
    by_status = {
        str(status): reply for status, reply in refusal_responses(*_common_statuses(path, method, operation)).items()
    }
    operation["responses"] = dict(sorted((by_status | operation["responses"]).items()))
    for parameter in operation.get("parameters", ()):
        if (example := examples.parameter(path, parameter["name"])) is not None:
            parameter["example"] = example
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media_type, media in body.get("content", {}).items():
            if media_type.startswith("image/"):
                media.setdefault("schema", {"type": "string", "format": "binary"})
            schema = media.get("schema", {})
            # Of several kinds of body the first has an example.
            name = schema.get("anyOf", [schema])[0].get("$ref", "").rpartition("/")[2]
            if name in examples.bodies():
                media["example"] = examples.bodies()[name]


def _common_statuses(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """Yield the status codes of refusals that every operation of this shape may answer."""
    yield from (400, 401, 421, 500, 507)
    if method.upper() not in SAFE_METHODS:
        yield 403
    if "{" in path:
        yield 404
    if "parameters" in operation or "requestBody" in operation:
        yield 422
    if "requestBody" in operation:
        yield from (408, 413, 415)
