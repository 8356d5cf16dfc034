"""Define the JSON reply of /interpolate."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out

Format = Literal["png", "webp", "apng", "zip", "json"]
Mode = Literal["slerp", "linear"]


class InterpolationOut(Out):
    """The frames of an interpolation, and what POST /sample takes to generate them again."""

    model: str
    waypoints: list[str] = Field(description="The samples, each as SEED.INDEX or SEED.INDEX:CLASS.")
    mode: Mode
    loop: bool
    class_: int | None = Field(alias="class", description="The class of all frames; null if they have none or several.")
    latents: list[list[float]]
    class_weights: list[list[float]] | None = Field(description="For each frame a weight of every class, if any.")
    images: list[str] | None = Field(description="PNG files in base64; null for points and strings.")
    points: list[tuple[float] | tuple[float, float]] | None
    strings: list[str] | None
