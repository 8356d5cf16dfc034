"""Bodies of /models, /datasets, /recipes and the health addresses."""

from typing import Literal

from pydantic import Field

from app.core.limits import ID_LENGTH
from app.schemas.base import In, Name


class ModelIn(In):
    """Which checkpoint to publish, and under which name."""

    name: Name
    checkpoint: str = Field(max_length=ID_LENGTH, description="Id of a checkpoint of any job.")


class DatasetIn(In):
    """The small fields beside an uploaded zip."""

    name: Name
    layout: Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"] = Field(
        "auto", description="What the members are to each other; auto: by the names of their folders."
    )
    fit: Literal["crop", "pad", "tiles"] = Field(
        "crop", description="Of what is not square: its middle, all of it in a white square, or squares cut from it."
    )
    depth: Literal["auto", "10", "12", "14", "16"] = Field(
        "auto", description="Bits that count in samples of 16 whose file does not say; auto: all, and a note."
    )
    labels: Literal["auto", "none", "a", "b"] = Field(
        "auto", description="The pile that is label maps, resized by nearest; auto: those of few colours."
    )
