"""The shape of what is learned: pictures, points, strings, or two piles of pictures, paired or not."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Side = Annotated[int, Field(ge=8, le=512)]
Channels = Annotated[int, Field(ge=1, le=4)]


class Images(Spec):
    """Square pictures, optionally labelled; classes = 0 means unlabelled."""

    kind: Literal["images"] = "images"
    dataset: str
    side: Side
    channels: Channels
    classes: int = Field(default=0, ge=0, le=10_000)

    @property
    def prepared_side(self) -> int:
        """Pixels of a side at which pictures are prepared."""
        return self.side


class Points(Spec):
    """Points on a line or in the plane, for figures in which every mode can be seen."""

    kind: Literal["points"] = "points"
    dataset: str
    dimension: Literal[1, 2] = 2


class Sequences(Spec):
    """Strings of `length` symbols out of `symbols`; symbol i is the i-th character of the dataset's alphabet."""

    kind: Literal["sequences"] = "sequences"
    dataset: str
    length: int = Field(ge=2, le=256)
    symbols: int = Field(ge=2, le=256)


class TwoDomains(Spec):
    """Two piles of square pictures, `a` and `b`, of which the networks see crops.

    Where `load` and `flip` are at their defaults they stay out of the JSON: what has been written stays as it was.
    """

    kind: Literal["unpaired", "paired"]
    dataset: str
    side: Side
    """pixels of a side that the networks see: of a random crop where `load` is larger"""
    channels: Channels
    load: Side | None = Field(default=None, exclude_if=lambda load: load is None)
    """pixels of a side at which pictures are prepared, at least `side`; null: `side`, and nothing is cropped"""
    flip: bool = Field(default=False, exclude_if=lambda flip: not flip)
    """mirror every second picture, by chance"""

    @property
    def prepared_side(self) -> int:
        """Pixels of a side at which pictures are prepared."""
        return self.load or self.side


class Unpaired(TwoDomains):
    """Two piles of pictures without known counterparts."""

    kind: Literal["unpaired"] = "unpaired"


class Paired(TwoDomains):
    """Two piles of pictures, picture i of `a` being the counterpart of picture i of `b`."""

    kind: Literal["paired"] = "paired"


DataSpec = Annotated[Images | Points | Sequences | Unpaired | Paired, Field(discriminator="kind")]
