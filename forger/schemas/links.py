"""Define the replies of /links."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out, Time

LinkKind = Literal["job", "experiment", "model"]


class LinkOut(Out):
    """A link that shows one job, one experiment or one model without the key."""

    id: str
    kind: LinkKind
    target: str = Field(description="An id; of a model name@version.")
    href: str = Field(description="The address of its page in the studio. Whoever has it can read the target.")
    created_at: Time
    expires_at: Time


class LinkList(Out):
    data: list[LinkOut]
