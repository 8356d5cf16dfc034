"""Query parameters of /sample."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import MAX_SCALE
from app.schemas.base import Seed
from forger.schemas.samples import Format
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


class SampleQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class_: str | None = Field(
        None, alias="class", max_length=100, description="A class by number or name; `each`: one row per class."
    )
    n: int = Field(1, ge=1, description="Number of pictures (of each class).")
    seed: Seed | None = Field(None, description="Default: a random seed, which the reply names.")
    model: Reference | None = Field(None, description="Default: the newest model that can serve the request.")
    temperature: Temperature = 1.0
    scale: int = Field(1, ge=1, le=MAX_SCALE, description="Factor by which to enlarge, by whole pixels.")
    format: Format | None = Field(None, description="Takes precedence over Accept; txt is for strings only.")
