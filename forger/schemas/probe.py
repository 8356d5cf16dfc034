"""Define the JSON of a probe: an artifact of a training, of kind `probe` (docs/api.md, Probes)."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out

Number = float | None
"""null where it was not finite"""
PlanePoint = tuple[Number, Number]


class CriticProbe(Out):
    """A histogram of one critic's raw scores on the fixed batch."""

    name: Literal["", "a", "b"] = Field(description="Empty, or which of two critics it is.")
    edges: list[float] = Field(description="33 edges of 32 equal bins, from the least to the greatest score.")
    real: list[int] = Field(description="Scores of real examples in each bin.")
    fake: list[int] = Field(description="Scores of generated examples in each bin.")


class GradientProbe(Out):
    """Euclidean norms of the gradients of the losses, without penalties, by all weights of a player."""

    generator: Number
    critic: Number


class SharesProbe(Out):
    """Generated examples by mode or class."""

    names: list[str]
    counts: list[int]


class LineProbe(Out):
    """The densities and the critic at 200 positions on the line."""

    x: list[float]
    p_data: list[float]
    p_g: list[Number] | None
    critic: list[Number] | None = Field(description="D(x), on the scale that `critic_scale` names.")


class PlaneProbe(Out):
    """The critic as a landscape over the plane, and the points on it."""

    x: tuple[float, float]
    y: tuple[float, float]
    n: int = Field(description="Positions of the landscape on each side.")
    critic: list[list[Number]] | None = Field(description="Raw scores, row by row from the lowest y.")
    real: list[PlanePoint]
    fake: list[PlanePoint] | None
    gradient: list[PlanePoint] | None = Field(
        description="At each fake minus the gradient of the generator's loss: where the fake would move."
    )
    grid: list[list[PlanePoint]] | None = Field(description="The generator's image of a regular grid of latents.")


class ProbeOut(Out):
    """The state of both players of a training at a step, on the same latents and examples each time."""

    version: Literal[1]
    step: int
    critic_scale: Literal["probability", "score"] | None = Field(
        description="Whether the sigmoid of a score is a probability, or the score is plain; null without a critic."
    )
    critics: list[CriticProbe]
    gradients: GradientProbe
    shares: SharesProbe | None
    line: LineProbe | None
    plane: PlaneProbe | None
