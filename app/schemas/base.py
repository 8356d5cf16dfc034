"""Base classes of request and response bodies."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from app.core.limits import NAME_LENGTH, SEED_LIMIT
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
Json = dict[str, Any]


class In(BaseModel):
    """A request body: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Out(BaseModel):
    """A response body. No field has a default: a reply says everything."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Health(Out):
    """What is known of a training, or of the weights that were published of it."""

    state: Literal["healthy", "troubled", "unwatched"]
    kind: str | None = Field(description="Of the gravest trouble, for example collapse; null where there is none.")
    step: int | None = Field(description="Of the newest evaluation that it tells of.")
    message: str = Field(description="What was seen, and what to try.")


def rfc3339(at: float) -> str:
    """Epoch seconds as '2026-01-02T03:04:05.678Z'."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch(at: object) -> object:
    """What `rfc3339` wrote, back as epoch seconds; anything else as it is."""
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at


Time = Annotated[
    float,
    BeforeValidator(epoch),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Epoch seconds inside, RFC 3339 UTC with milliseconds on the wire."""
