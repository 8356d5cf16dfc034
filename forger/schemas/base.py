"""What replies are made of: their base class, times, JSON, health; and the problem that every error is."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

Json = dict[str, Any]
MARK = "x-schema"
"""in a JSON schema: the name of the schema that the service's OpenAPI document puts there"""
Recipe = Annotated[Json, Field(json_schema_extra={MARK: "Recipe"})]
"""a whole recipe: to the client a JSON object"""


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


class Refused(BaseModel):
    """One refused part of the input."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body or the parameters.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """The one shape of every error (RFC 9457), as application/problem+json."""

    type: str = Field(description="URI of the kind of problem; ends in the code.")
    title: str
    status: int
    detail: str = Field(description="A sentence that says what to do next.")
    code: str = Field(description="A word for programs; never changes for the same cause.")
    request_id: str
    errors: list[Refused]
