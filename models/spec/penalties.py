"""Penalties as values: further terms that score a duel. The formulas stand in models/penalties.py."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Weight = Annotated[float, Field(gt=0, le=10_000)]
Every = Annotated[int, Field(ge=1, le=1000)]


class GradientPenalty(Spec):
    """Gulrajani et al. 2017: the critic's slope between real and fake is held at 1."""

    kind: Literal["gradient_penalty"] = "gradient_penalty"
    weight: Weight = 10.0
    every: Every = 1


class R1(Spec):
    """Mescheder et al. 2018: half the squared slope of the critic at real pictures.

    With `every` > 1 it is due at every such step only, and weighs that many times more.
    """

    kind: Literal["r1"] = "r1"
    weight: Weight = 1.0
    every: Every = 1


class Auxiliary(Spec):
    """Odena et al. 2016: the critic also names the class; both players are paid when the name is right."""

    kind: Literal["auxiliary"] = "auxiliary"
    critic_weight: float = Field(default=1.0, gt=0, le=100)
    generator_weight: float = Field(default=0.2, ge=0, le=100)


PenaltySpec = Annotated[GradientPenalty | R1 | Auxiliary, Field(discriminator="kind")]
