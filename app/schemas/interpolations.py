"""Parameters of GET /interpolate."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import MAX_FRAMES, MAX_WAYPOINTS
from app.schemas.samples import ClassName, Reference, Scale, Temperature, Truncation
from forger.schemas.interpolations import Format, Mode
from models.spec.wording import DESCRIPTION_KEY

SampleName = Annotated[
    str,
    Field(
        pattern=r"^(0|[1-9][0-9]{0,18})(\.(0|[1-9][0-9]{0,8}))?(:.{1,100})?$",
        json_schema_extra={DESCRIPTION_KEY: "SEED, SEED.INDEX or SEED.INDEX:CLASS, for example 3, 3.5 or 3.5:7"},
    ),
]
"""a sample of a model: its seed, its number under that seed (default 0), and its class"""


class InterpolateQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    from_: SampleName = Field(alias="from", description="The first sample: SEED, SEED.INDEX or SEED.INDEX:CLASS.")
    to: SampleName = Field(description="The last sample.")
    via: list[SampleName] = Field([], max_length=MAX_WAYPOINTS - 2, description="Samples between them, in order.")
    frames: int = Field(16, ge=2, le=MAX_FRAMES, description="Number of pictures, with the first and the last.")
    mode: Mode = Field("slerp", description="How latents are interpolated; classes always are linearly.")
    loop: bool = Field(False, description="Whether the path returns to its beginning.")
    class_: ClassName | None = Field(None, alias="class", description="Class of the samples that name none.")
    model: Reference | None = Field(None, description="Default: the newest model that draws from noise.")
    temperature: Temperature = 1.0
    truncation: Truncation | None = None
    scale: Scale = 1
    fps: int = Field(12, ge=1, le=60, description="Frames per second of an animation.")
    format: Format | None = Field(None, description="Takes precedence over Accept. png is a strip of all frames.")

    @property
    def first_class(self) -> str | None:
        """Return the first class that a waypoint names."""
        return next((name.partition(":")[2] for _, name in self.waypoints if ":" in name), None)

    @property
    def waypoints(self) -> list[tuple[str, str]]:
        """Return the names of the waypoints in order, each behind its JSON pointer."""
        between = [(f"/via/{number}", name) for number, name in enumerate(self.via)]
        return [("/from", self.from_), *between, ("/to", self.to)]
