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


class Unpaired(Spec):
    """Two piles of square pictures without known counterparts: `a` and `b`."""

    kind: Literal["unpaired"] = "unpaired"
    dataset: str
    side: Side
    channels: Channels


class Paired(Spec):
    """Two piles of square pictures, picture i of `a` being the counterpart of picture i of `b`."""

    kind: Literal["paired"] = "paired"
    dataset: str
    side: Side
    channels: Channels


DataSpec = Annotated[Images | Points | Sequences | Unpaired | Paired, Field(discriminator="kind")]
