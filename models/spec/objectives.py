"""Objectives as values. The formulas stand in models/objectives.py."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import FromPlugin, Spec

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


class MaximumLikelihood(Spec):
    """Goodfellow 2014 (arXiv:1412.6515): with an optimal critic its slope is that of the likelihood: the generator
    minimises -D / (1 - D)."""

    kind: Literal["maximum_likelihood"] = "maximum_likelihood"


class Kl(Spec):
    """Nowozin et al. 2016: the variational bound of KL(data || generated)."""

    kind: Literal["kl"] = "kl"


class ReverseKl(Spec):
    """Nowozin et al. 2016: the variational bound of KL(generated || data)."""

    kind: Literal["reverse_kl"] = "reverse_kl"


class Relativistic(Spec):
    """Jolicoeur-Martineau 2019: each real example shall look more real than the fake beside it, and the other way."""

    kind: Literal["relativistic"] = "relativistic"


class Began(Spec):
    """Berthelot et al. 2017: the critic's scores are reconstruction errors, and k balances the two sides."""

    kind: Literal["began"] = "began"
    diversity: float = Field(default=0.5, gt=0, le=1)
    """gamma: the fakes' error over that of real pictures; smaller is sharper and less varied"""
    pace: float = Field(default=0.001, gt=0, le=1)
    """how fast k follows"""


class D2gan(Spec):
    """Nguyen et al. 2017: a second critic rewards fakes; together both divergences, KL and reverse KL, are held."""

    kind: Literal["d2gan"] = "d2gan"
    alpha: float = Field(default=0.2, gt=0, le=1)
    """weight of the first critic's logarithm, and so of KL"""
    beta: float = Field(default=0.1, gt=0, le=1)
    """weight of the second critic's logarithm, and so of reverse KL"""


ObjectiveSpec = Annotated[
    Minimax
    | NonSaturating
    | LeastSquares
    | Wasserstein
    | Hinge
    | MaximumLikelihood
    | Kl
    | ReverseKl
    | Relativistic
    | Began
    | D2gan
    | FromPlugin,
    Field(discriminator="kind"),
]
