"""Penalties as values: further terms that score a duel. The formulas stand in models/penalties.py."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import FromPlugin, Spec

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


class R2(Spec):
    """Mescheder et al. 2018: as R1, at fakes."""

    kind: Literal["r2"] = "r2"
    weight: Weight = 1.0
    every: Every = 1


class Auxiliary(Spec):
    """Odena et al. 2016: the critic also names the class; both players are paid when the name is right."""

    kind: Literal["auxiliary"] = "auxiliary"
    critic_weight: float = Field(default=1.0, gt=0, le=100)
    generator_weight: float = Field(default=0.2, ge=0, le=100)


class FeatureMatching(Spec):
    """Salimans et al. 2016: the generator is to hit the mean of the critic's features of real pictures."""

    kind: Literal["feature_matching"] = "feature_matching"
    weight: Weight = 1.0


class HistoricalAveraging(Spec):
    """Salimans et al. 2016: both players are held near the mean of their own past weights."""

    kind: Literal["historical_averaging"] = "historical_averaging"
    weight: Weight = 1.0


class JacobianClamping(Spec):
    """Odena et al. 2018: how far a picture moves per step of its latent is held between `least` and `most`."""

    kind: Literal["jacobian_clamping"] = "jacobian_clamping"
    weight: Weight = 1.0
    least: float = Field(default=1.0, ge=0, le=10_000)
    most: float = Field(default=20.0, gt=0, le=10_000)
    step: float = Field(default=1.0, gt=0, le=100)
    """length of the step in latent space"""


class ModeRegulariser(Spec):
    """Che et al. 2017: real pictures, encoded and drawn again, shall be near themselves and look real.

    Needs a generator with an encoder.
    """

    kind: Literal["mode_regulariser"] = "mode_regulariser"
    distance: float = Field(default=0.2, ge=0, le=1000)
    score: float = Field(default=0.4, ge=0, le=1000)


PenaltySpec = Annotated[
    GradientPenalty
    | R1
    | R2
    | Auxiliary
    | FeatureMatching
    | HistoricalAveraging
    | JacobianClamping
    | ModeRegulariser
    | FromPlugin,
    Field(discriminator="kind"),
]
