"""Define the reply of POST /features."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out


class FeaturesOut(Out):
    """Features of pictures, in the order in which they were sent."""

    model: str
    source: Literal["encoder", "critic"] = Field(description="The network whose features they are.")
    size: int = Field(description="Numbers per picture.")
    features: list[list[float]] = Field(description="Of each picture, float32.")
