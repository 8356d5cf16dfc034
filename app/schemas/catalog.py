"""Request bodies of /models and /datasets."""

from typing import Literal

from pydantic import Field

from app.core.limits import MAX_ID_CHARACTERS
from app.schemas.base import Name, RequestBody


class ModelIn(RequestBody):
    """A checkpoint to publish, and the model's name."""

    name: Name
    checkpoint: str = Field(max_length=MAX_ID_CHARACTERS, description="Id of a checkpoint of any job.")


class DatasetIn(RequestBody):
    """The form fields that are sent with an uploaded zip."""

    name: Name
    layout: Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"] = Field(
        "auto", description="How the members belong together; auto: inferred from the names of their folders."
    )
    fit: Literal["crop", "pad", "tiles"] = Field(
        "crop",
        description="Pictures that are not square: use the middle, all in a white square, or squares cut from them.",
    )
    depth: Literal["auto", "10", "12", "14", "16"] = Field(
        "auto", description="Significant bits of 16-bit samples if the file does not say; auto: all 16, with a note."
    )
    bits: Literal["8", "16"] = Field(
        "8", description="Bits of a sample that training keeps; 16: models sample and translate pictures of 16 bits."
    )
    labels: Literal["auto", "none", "a", "b"] = Field(
        "auto",
        description="The domain or side of label maps, resized by nearest neighbour; auto: the one with few colours.",
    )
