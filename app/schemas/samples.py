"""Parameters of GET /sample, and the body of POST /sample."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import MAX_LATENT, MAX_SCALE
from app.schemas.base import RequestBody, Seed
from forger.schemas.samples import Format
from models.spec.training import MAX_TRUNCATION, MIN_TRUNCATION
from models.spec.wording import DESCRIPTION_KEY

Reference = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}(@[1-9][0-9]{0,8})?$",
        json_schema_extra={DESCRIPTION_KEY: "a model as name or name@version, for example cdcgan-mnist@2"},
    ),
]
"""a reference to a model: `name`, its newest version, or `name@version`"""

Temperature = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Factor of the latent vectors; below 1: more typical and less varied pictures.",
    ),
]

Truncation = Annotated[
    float,
    Field(
        ge=MIN_TRUNCATION,
        le=MAX_TRUNCATION,
        allow_inf_nan=False,
        description="Numbers of the latent beyond this threshold are drawn again: the lower, the more typical.",
    ),
]
Scale = Annotated[int, Field(ge=1, le=MAX_SCALE, description="Factor by which to enlarge, by whole pixels.")]
SampleFormat = Annotated[Format | None, Field(description="Takes precedence over Accept; txt is for strings only.")]
ClassName = Annotated[str, Field(max_length=100)]
ClassNumber = Annotated[int, Field(ge=0)]
Class = ClassNumber | ClassName
"""a class in a JSON body: its number, as in replies, or text as in a query"""
LatentRow = list[Annotated[float, Field(ge=-MAX_LATENT, le=MAX_LATENT, allow_inf_nan=False)]]
Latents = Annotated[list[LatentRow], Field(min_length=1, description="Latents, each as long as the model's.")]
ClassWeights = list[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]


class SampleQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class_: str | None = Field(
        None, alias="class", max_length=100, description="A class by number or name; `each`: one row per class."
    )
    n: int = Field(1, ge=1, description="Number of pictures (of each class).")
    seed: Seed | None = Field(None, description="Default: a random seed, which the reply names.")
    model: Reference | None = Field(None, description="Default: the newest model that can serve the request.")
    temperature: Temperature = 1.0
    truncation: Truncation | None = None
    latents: bool = Field(False, description="Whether the JSON reply also has each picture's latent and class.")
    scale: Scale = 1
    format: SampleFormat = None


class LatentClasses(RequestBody):
    """The classes of latents that are sent, in one of three ways."""

    class_: Class | None = Field(
        None,
        alias="class",
        description="A class by number or name, of all latents, and of samples beside them that name none.",
    )
    classes: list[Class | None] | None = Field(
        None, description="In place of `class`: the class of each latent; null for a model without classes."
    )
    class_weights: list[ClassWeights] | None = Field(
        None, description="In place of `class`: for each latent a weight of every class, which sum to 1."
    )


class DecodeIn(LatentClasses):
    """Latents to generate from, in place of a seed."""

    model: Reference
    latents: Latents
    scale: Scale = 1
    format: SampleFormat = None
