"""Penalties as values: further loss terms of a duel. models/penalties.py computes them."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import FromPlugin, Spec

Weight = Annotated[float, Field(gt=0, le=10_000)]
Every = Annotated[int, Field(ge=1, le=1000)]


class GradientPenalty(Spec):
    """Gulrajani et al. 2017: (|gradient| - 1)^2 of the critic between real and fake."""

    kind: Literal["gradient_penalty"] = "gradient_penalty"
    weight: Weight = 10.0
    every: Every = 1


class R1(Spec):
    """Mescheder et al. 2018: half the squared gradient of the critic at real pictures.

    With `every` > 1 it applies at every such step only, and weighs that many times more.
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
    """Odena et al. 2016: the critic also classifies; both players minimise the classification error."""

    kind: Literal["auxiliary"] = "auxiliary"
    critic_weight: float = Field(default=1.0, gt=0, le=100)
    generator_weight: float = Field(default=0.2, ge=0, le=100)


class FeatureMatching(Spec):
    """Salimans et al. 2016: the generator matches the mean of the critic's features of real pictures."""

    kind: Literal["feature_matching"] = "feature_matching"
    weight: Weight = 1.0


class HistoricalAveraging(Spec):
    """Salimans et al. 2016: squared distance of both players' weights from the mean of their past weights."""

    kind: Literal["historical_averaging"] = "historical_averaging"
    weight: Weight = 1.0


class JacobianClamping(Spec):
    """Odena et al. 2018: keeps the change of a picture per step of its latent between `least` and `most`."""

    kind: Literal["jacobian_clamping"] = "jacobian_clamping"
    weight: Weight = 1.0
    least: float = Field(default=1.0, ge=0, le=10_000)
    most: float = Field(default=20.0, gt=0, le=10_000)
    step: float = Field(default=1.0, gt=0, le=100)
    """length of the step in latent space"""


class ModeRegulariser(Spec):
    """Che et al. 2017: encoded and decoded real pictures must stay similar and look real.

    It needs a generator with an encoder.
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
