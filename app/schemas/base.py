"""Base class and common fields of request bodies."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import SEED_LIMIT
from forger.wire import MAX_NAME_CHARACTERS
from models.spec.wording import DESCRIPTION_KEY

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
Name = Annotated[
    str,
    Field(
        pattern=rf"^[a-z0-9][a-z0-9._-]{{0,{MAX_NAME_CHARACTERS - 1}}}$",
        json_schema_extra={
            DESCRIPTION_KEY: f"1 to {MAX_NAME_CHARACTERS} letters a to z, digits and . _ - "
            "that begin with a letter or digit"
        },
    ),
]
"""a name that a client may give to a model: a label, never a path"""


class RequestBody(BaseModel):
    """A request body: unknown fields are refused, and values are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)
