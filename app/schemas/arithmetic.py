"""Body of POST /latent/arithmetic."""

from typing import Annotated, Literal

from pydantic import Field

from app.core.limits import MAX_TERM_WEIGHT, MAX_TERMS
from app.schemas.base import RequestBody
from app.schemas.latents import CodesIn
from app.schemas.samples import Class, Reference, Scale, Temperature, Truncation

Weight = Annotated[float, Field(ge=-MAX_TERM_WEIGHT, le=MAX_TERM_WEIGHT, allow_inf_nan=False)]


class TermIn(CodesIn):
    """One term of a sum: the mean of its samples and latents, times its weight."""

    weight: Weight = 1.0


class ArithmeticIn(RequestBody):
    """A weighted sum of latents."""

    model: Reference
    terms: list[TermIn] = Field(min_length=1, max_length=MAX_TERMS)
    class_: Class | None = Field(
        None, alias="class", description="Class of the result; default: the weighted sum of the terms' classes."
    )
    normalise: bool = Field(False, description="Whether the result gets the length that draws from the prior have.")
    temperature: Temperature = 1.0
    truncation: Truncation | None = None
    scale: Scale = 1
    format: Literal["json", "png"] | None = Field(None, description="Takes precedence over Accept.")
