"""The one shape of every error (RFC 9457)."""

from pydantic import BaseModel, Field


class Refused(BaseModel):
    """One refused part of the input."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body or the parameters.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """application/problem+json"""

    type: str = Field(description="URI of the kind of problem; ends in the code.")
    title: str
    status: int
    detail: str = Field(description="A sentence that says what to do next.")
    code: str = Field(description="A word for programs; never changes for the same cause.")
    request_id: str
    errors: list[Refused]
