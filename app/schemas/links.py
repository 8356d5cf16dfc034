"""Define the request body of /links."""

from pydantic import Field

from app.core.limits import MAX_ID_CHARACTERS
from app.schemas.base import RequestBody
from forger.schemas.links import LinkKind

MAX_HOURS = 24 * 366


class LinkIn(RequestBody):
    kind: LinkKind
    target: str = Field(min_length=1, max_length=2 * MAX_ID_CHARACTERS, description="An id; of a model name@version.")
    hours: float = Field(168.0, gt=0, le=MAX_HOURS, description="Hours after which the link ends.")
