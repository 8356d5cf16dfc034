"""Define the request body of /session."""

from pydantic import Field, SecretStr

from app.schemas.base import RequestBody

MAX_KEY_CHARACTERS = 1024


class SessionIn(RequestBody):
    """The key, or the token of a link."""

    key: SecretStr | None = Field(None, max_length=MAX_KEY_CHARACTERS, description="The service's FORGER_API_KEY.")
    link: str | None = Field(None, max_length=MAX_KEY_CHARACTERS, description="The parameter `link` of a link's href.")
