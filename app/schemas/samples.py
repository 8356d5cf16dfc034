"""Parameters of /sample, and its JSON replies."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import SCALE
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
"""A model as a client names it: `name`, the newest version, or `name@version`."""

Temperature = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Scales the latent vectors; below 1: nearer to the typical, less varied.",
    ),
]


class SampleQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    class_: str | None = Field(
        None, alias="class", max_length=100, description="A class as number or name; `each`: a row per class."
    )
    n: int = Field(1, ge=1, description="How many (of each class).")
    seed: Seed | None = Field(None, description="Without one a seed is drawn, and named in the reply.")
    model: Reference | None = Field(None, description="Default: the newest that can do what is asked.")
    temperature: Temperature = 1.0
    scale: int = Field(1, ge=1, le=SCALE, description="Enlarge by whole pixels.")
    format: Format | None = Field(None, description="Wins over Accept; txt for strings only.")
