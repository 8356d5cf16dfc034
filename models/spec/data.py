"""The shape of the training data: pictures, points, strings, or pictures of two domains, unpaired or paired."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

MIN_DATA_SIDE, MAX_DATA_SIDE = 8, 512
Side = Annotated[int, Field(ge=MIN_DATA_SIDE, le=MAX_DATA_SIDE)]
Channels = Annotated[int, Field(ge=1, le=4)]
Bits = Annotated[Literal[8, 16], Field(exclude_if=lambda bits: bits == 8)]
"""bits of a sample; left out of the JSON at 8, so that older recipes keep their bytes"""


class Images(Spec):
    """Square pictures; `classes` is 0 for unlabelled ones."""

    kind: Literal["images"] = "images"
    dataset: str
    side: Side
    channels: Channels
    classes: int = Field(default=0, ge=0, le=10_000)
    bits: Bits = 8

    @property
    def prepared_side(self) -> int:
        """Side in pixels at which pictures are prepared."""
        return self.side


class Points(Spec):
    """Points on a line or in the plane."""

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
    """Square pictures of two domains, `a` and `b`, or random crops of them.

    `load` and `flip` are left out of the JSON at their defaults, so that older recipes keep their bytes.
    """

    kind: Literal["unpaired", "paired"]
    dataset: str
    side: Side
    """side in pixels of the networks' pictures: of a random crop if `load` is larger"""
    channels: Channels
    bits: Bits = 8
    load: Side | None = Field(default=None, exclude_if=lambda load: load is None)
    """side in pixels at which pictures are prepared, at least `side`; null: `side`, without crops"""
    flip: bool = Field(default=False, exclude_if=lambda flip: not flip)
    """mirror each picture with probability 1/2"""

    @property
    def prepared_side(self) -> int:
        """Side in pixels at which pictures are prepared."""
        return self.load or self.side


class Unpaired(TwoDomains):
    """Pictures of two domains without known counterparts."""

    kind: Literal["unpaired"] = "unpaired"


class Paired(TwoDomains):
    """Pictures of two domains; picture i of `a` is the counterpart of picture i of `b`."""

    kind: Literal["paired"] = "paired"
    input_channels: Channels | None = Field(default=None, exclude_if=lambda channels: channels is None)
    """channels of the pictures of `a` in an imported model where `b` has other ones; null: `channels`"""


DataSpec = Annotated[Images | Points | Sequences | Unpaired | Paired, Field(discriminator="kind")]
