"""Bodies of jobs that make many pictures: generate and translate."""

from typing import Annotated, Literal

from pydantic import Field

from app.core.limits import SHARD_MOST
from app.schemas.base import In, Seed
from app.schemas.samples import Reference, Temperature
from forger.schemas.specs import Direction, ShardFormat

Count = Annotated[int, Field(ge=1, lt=2**31)]
Format = Annotated[
    ShardFormat,
    Field(description="What a shard is: a ZIP of PNG files and labels.csv, or NumPy's arrays of pictures and labels."),
]
Shard = Annotated[int, Field(ge=1, le=SHARD_MOST, description="Pictures in one shard.")]


class GenerateIn(In):
    """How many pictures to draw from noise, and of which classes: `n` or `classes`."""

    kind: Literal["generate"]
    model: Reference | None = Field(None, description="Default: the newest that can do what is asked.")
    n: Count | None = Field(None, description="How many; of a model with classes as equally many of each as possible.")
    classes: dict[Annotated[str, Field(max_length=100)], Count] | None = Field(
        None, min_length=1, max_length=10_000, description="How many of each class, by its name or number."
    )
    seed: Seed = Field(0, description="Decides what is drawn.")
    temperature: Temperature = 1.0
    format: Format = "zip"
    shard: Shard = 10_000
    dry_run: bool = Field(False, description="Answer what would be drawn, and create nothing.")


class TranslateIn(In):
    """Which dataset to send through which model; none where the pictures themselves are sent."""

    kind: Literal["translate"]
    model: Reference | None = Field(None, description="Default: the newest that can do what is asked.")
    dataset: str | None = Field(None, max_length=100, description="Built in or uploaded, of pictures.")
    direction: Direction = Field("a2b", description="b2a: the way back, and of a dataset of two piles the second.")
    format: Format = "zip"
    shard: Shard = 10_000
    dry_run: bool = Field(False, description="Answer what would be translated, and create nothing.")
