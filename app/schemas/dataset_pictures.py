"""Query parameters of the pictures of a dataset."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.base import Seed
from forger.schemas.samples import Format
from models.spec.data import Side


class DatasetPicturesQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class_: str | None = Field(
        None, alias="class", max_length=100, description="A class by number or name; `each`: one row per class."
    )
    n: int = Field(16, ge=1, description="Number of examples (of each class). A smaller dataset repeats its own.")
    seed: Seed | None = Field(None, description="Default: a random seed, which the reply names.")
    domain: Literal["a", "b"] | None = Field(None, description="Of a dataset with two domains; default: a.")
    side: Side | None = Field(None, description="Pixels of a side; default: the dataset's own.")
    channels: Literal["1", "3"] | None = Field(None, description="Grey or colour; default: the dataset's own.")
    format: Format | None = Field(None, description="Takes precedence over Accept; txt is for strings only.")
