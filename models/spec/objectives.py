"""Objectives as values. The formulas stand in models/objectives.py."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Smoothing = Annotated[float, Field(ge=0, lt=0.5)]


class Minimax(Spec):
    """Goodfellow et al. 2014, equation 1: the generator minimises log(1 - D)."""

    kind: Literal["minimax"] = "minimax"
    smoothing: Smoothing = 0.0
    """one-sided label smoothing: the critic's target for real pictures is 1 - smoothing"""


class NonSaturating(Spec):
    """Goodfellow et al. 2014, section 3: the generator maximises log D."""

    kind: Literal["non_saturating"] = "non_saturating"
    smoothing: Smoothing = 0.0
    """one-sided label smoothing: the critic's target for real pictures is 1 - smoothing"""


class LeastSquares(Spec):
    """Mao et al. 2017: squared distance to the targets 1 (real) and 0 (fake)."""

    kind: Literal["least_squares"] = "least_squares"
    smoothing: Smoothing = 0.0
    """one-sided label smoothing: the critic's target for real pictures is 1 - smoothing"""
    scale: float = Field(default=0.5, gt=0, le=10)
    """the paper has 1/2; CycleGAN's code has 1, which matters beside its cycle weight"""


class Wasserstein(Spec):
    """Arjovsky et al. 2017: difference of mean scores; needs a Lipschitz device."""

    kind: Literal["wasserstein"] = "wasserstein"


class Hinge(Spec):
    """Lim and Ye 2017: the critic stops caring beyond a margin of 1."""

    kind: Literal["hinge"] = "hinge"


ObjectiveSpec = Annotated[Minimax | NonSaturating | LeastSquares | Wasserstein | Hinge, Field(discriminator="kind")]
