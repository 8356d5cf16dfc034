"""The refusal of what a route does not name: FastAPI passes over unknown parameters and fields of forms."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Request

from app.api.openapi.signature import parameters, taken
from app.api.problems import as_invalid
from models.spec.wording import refusals


async def only_known_parameters(request: Request) -> None:
    """A dependency of every route. Raises Invalid."""
    asked, route = request.query_params, request.scope["route"]
    if asked and not asked.keys() <= parameters(route):  # what it takes is written down only to refuse something
        require_known(asked.multi_items(), taken(route)["query"])


def require_known(sent: Iterable[tuple[str, str]], schema: Mapping[str, Any]) -> None:
    """Raises Invalid where a name is not among an object's fields, worded as the unknown field of a JSON body is."""
    strange = [
        {"type": "extra_forbidden", "loc": (name,), "input": value}
        for name, value in sent
        if name not in schema.get("properties", {})
    ]
    if strange:
        raise as_invalid(refusals(strange, schema))
