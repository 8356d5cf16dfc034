"""Bodies of POST /models/{name}@{version}/directions and POST /edit."""

from typing import Annotated, Literal

from pydantic import Field

from app.core.limits import MAX_AMOUNT, MAX_DIRECTIONS_AT_ONCE, MAX_MOVES
from app.schemas.base import Name, RequestBody, Seed
from app.schemas.latents import CodesIn, LatentsIn
from app.schemas.samples import Reference, Scale

Amount = Annotated[float, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT, allow_inf_nan=False)]


class DirectionsIn(RequestBody):
    """How to find directions, and their name; several get the name with -1, -2, ... behind it."""

    name: Name
    kind: Literal["closed_form", "principal", "means"]
    n: int = Field(8, ge=1, le=MAX_DIRECTIONS_AT_ONCE, description="Number of directions; of means it is 1.")
    seed: Seed = Field(0, description="Of the latents whose principal components are found.")
    from_: LatentsIn | None = Field(None, alias="from", description="Of means: latents without the property.")
    to: LatentsIn | None = Field(None, description="Of means: latents with the property.")


class EditIn(CodesIn):
    """Latents, and moves along directions of their model."""

    model: Reference
    moves: list[dict[Name, Amount]] = Field(
        min_length=1, max_length=MAX_MOVES, description="For each picture, amounts by the names of directions."
    )
    scale: Scale = 1
    format: Literal["json", "png"] | None = Field(None, description="Takes precedence over Accept.")
