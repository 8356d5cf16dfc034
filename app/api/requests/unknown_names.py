"""Refuse parameters and form fields that a route does not define, which FastAPI ignores."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Request

from app.api.openapi.signature import accepted_input, query_names
from app.api.problems import as_invalid
from models.spec.wording import refusals


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise Invalid if the query has an unknown parameter. Every route depends on it."""
    query, route = request.query_params, request.scope["route"]
    # The schema is built only for a refusal.
    if query and not query.keys() <= query_names(route):
        require_known(query.multi_items(), accepted_input(route)["query"])


def require_known(sent: Iterable[tuple[str, str]], schema: Mapping[str, Any]) -> None:
    """Raise Invalid if a name is no field of the object's schema, with the wording of unknown fields of JSON bodies."""
    unknown = [
        {"type": "extra_forbidden", "loc": (name,), "input": value}
        for name, value in sent
        if name not in schema.get("properties", {})
    ]
    if unknown:
        raise as_invalid(refusals(unknown, schema))
