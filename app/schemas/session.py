"""Define the request body of /session."""

from pydantic import Field, SecretStr

from app.schemas.base import RequestBody

MAX_KEY_CHARACTERS = 1024


class SessionIn(RequestBody):
    key: SecretStr = Field(max_length=MAX_KEY_CHARACTERS, description="The service's FORGER_API_KEY.")
