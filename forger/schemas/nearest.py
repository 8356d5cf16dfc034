"""Define the reply of /datasets/{name}/nearest."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out


class NearestPicture(Out):
    """A training picture."""

    row: int = Field(description="Its number in the training split, from 0.")
    distance: float = Field(description="From the sent picture; 0: equal to the pixel.")
    class_: int | None = Field(alias="class")
    image: str = Field(description="A PNG file in base64.")


class TypicalDistance(Out):
    """How far a real picture is from the nearest other real picture."""

    median: float
    n: int = Field(description="Real pictures whose nearest other one was searched for.")


class NearestOut(Out):
    """The training pictures nearest to the sent one, nearest first."""

    dataset: str
    side: int = Field(description="Pixels of a side at which pictures are compared.")
    channels: int
    measure: Literal["rms"] = Field(
        description="The distance: root mean square difference of pixels in [0, 1], over all pixels and channels."
    )
    searched: int = Field(description="Pictures of the training split, all of which were compared.")
    data: list[NearestPicture]
    typical: TypicalDistance | None = Field(description="null if there is no other real picture.")
