"""Request bodies of jobs that write many pictures: generate and translate."""

from typing import Annotated, Literal

from pydantic import Field

from app.core.limits import MAX_SHARD_PICTURES
from app.schemas.base import RequestBody, Seed
from app.schemas.samples import Reference, Temperature, Truncation
from forger.schemas.specs import Direction, ShardFormat

Count = Annotated[int, Field(ge=1, lt=2**31)]
Format = Annotated[
    ShardFormat,
    Field(description="Format of a shard: a ZIP of PNG files and labels.csv, or NumPy arrays of pictures and labels."),
]
Shard = Annotated[int, Field(ge=1, le=MAX_SHARD_PICTURES, description="Pictures in one shard.")]


class GenerateIn(RequestBody):
    """Pictures to draw from noise: `n` of them, or so many of each of the `classes`."""

    kind: Literal["generate"]
    model: Reference | None = Field(None, description="Default: the newest model that can serve the request.")
    n: Count | None = Field(
        None, description="Number of pictures; a model with classes draws equally many of each, as far as possible."
    )
    classes: dict[Annotated[str, Field(max_length=100)], Count] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="Number of pictures of each class, by the class's name or number.",
    )
    seed: Seed = Field(0, description="Seed of the random draws.")
    temperature: Temperature = 1.0
    truncation: Truncation | None = Field(None, exclude_if=lambda truncation: truncation is None)
    format: Format = "zip"
    shard: Shard = 10_000
    dry_run: bool = Field(False, description="Reply with what would be drawn, and create nothing.")


class TranslateIn(RequestBody):
    """A dataset to translate, or none if the pictures themselves are sent."""

    kind: Literal["translate"]
    model: Reference | None = Field(None, description="Default: the newest model that can serve the request.")
    dataset: str | None = Field(None, max_length=100, description="A built-in or uploaded dataset of pictures.")
    direction: Direction = Field(
        "a2b", description="b2a: translate back; of a dataset with two domains, translate domain b."
    )
    format: Format = "zip"
    shard: Shard = 10_000
    dry_run: bool = Field(False, description="Reply with what would be translated, and create nothing.")
