"""Base classes of request and response bodies."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.limits import SEED_LIMIT
from forger.wire import NAME_LENGTH
from models.spec.wording import DESCRIPTION_KEY

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
Name = Annotated[
    str,
    Field(
        pattern=rf"^[a-z0-9][a-z0-9._-]{{0,{NAME_LENGTH - 1}}}$",
        json_schema_extra={
            DESCRIPTION_KEY: f"1 to {NAME_LENGTH} letters a to z, digits and . _ - that begin with a letter or digit"
        },
    ),
]
"""What a client may call a model: a label, never a path."""


class In(BaseModel):
    """A request body: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)
