"""Define the replies of /models/{name}@{version}/directions and POST /edit."""

from typing import Any, Literal

from pydantic import Field

from forger.schemas.arithmetic import CodeOut
from forger.schemas.base import Out, Time

DirectionKind = Literal["closed_form", "principal", "means"]


class DirectionOut(Out):
    """A named direction of a version's latent space."""

    name: str
    kind: DirectionKind
    source: dict[str, Any] = Field(description="How it was found.")
    strength: float = Field(description="How much it changes; comparable within one kind.")
    vector: list[float] = Field(description="Of length 1.")
    created_at: Time


class DirectionList(Out):
    """The directions of a version, oldest first."""

    model: str = Field(description="name@version")
    data: list[DirectionOut]


class EditOut(Out):
    """Pictures of latents that were moved along directions."""

    model: str
    moves: list[dict[str, float]]
    rows: list[list[CodeOut]] = Field(description="For each sample, then each latent, one after each move.")
