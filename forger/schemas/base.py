"""Define the parts of replies: base class, times, JSON, health, and the problem document of errors."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

Json = dict[str, Any]
SCHEMA_MARK = "x-schema"
"""key in a JSON schema: the name of the schema that the service's OpenAPI document refers to there"""
Recipe = Annotated[Json, Field(json_schema_extra={SCHEMA_MARK: "Recipe"})]
"""a whole recipe: for the client a JSON object"""


class Out(BaseModel):
    """A response body. No field has a default: a reply contains every field."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Health(Out):
    """The health of a training, or of the weights that it published."""

    state: Literal["healthy", "troubled", "unwatched"]
    kind: str | None = Field(description="The gravest trouble, for example collapse; null if there is none.")
    step: int | None = Field(description="Step of the newest evaluation that it describes.")
    message: str = Field(description="The observation, and what to try.")


def rfc3339(at: float) -> str:
    """Return epoch seconds as '2026-01-02T03:04:05.678Z'."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch(at: object) -> object:
    """Return a string of `rfc3339` as epoch seconds; any other value as it is."""
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at


Time = Annotated[
    float,
    BeforeValidator(epoch),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""epoch seconds in Python, RFC 3339 UTC with milliseconds in JSON"""


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
