"""Request bodies of /models and /datasets."""

from typing import Annotated, Literal

from pydantic import Field

from app.core.limits import MAX_ID_CHARACTERS
from app.schemas.base import Name, RequestBody
from models.spec.wording import DESCRIPTION_KEY


class ModelIn(RequestBody):
    """A checkpoint to publish, and the model's name."""

    name: Name
    checkpoint: str = Field(max_length=MAX_ID_CHARACTERS, description="Id of a checkpoint of any job.")


Note = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        json_schema_extra={DESCRIPTION_KEY: "1 to 500 characters in one line"},
    ),
]


class ImportIn(RequestBody):
    """The form fields that are sent with a file of weights."""

    name: Name
    licence: Note | None = Field(None, description="The licence of the weights, as in CC-BY-4.0; kept on the card.")
    source: Note | None = Field(None, description="Where they are from, as an address; kept on the card.")


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
