"""Objectives as values. models/objectives.py computes them."""

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
    """the paper has 1/2; CycleGAN's code has 1, which matters relative to its cycle weight"""


class Wasserstein(Spec):
    """Arjovsky et al. 2017: difference of mean scores; the critic must be kept Lipschitz."""

    kind: Literal["wasserstein"] = "wasserstein"


class Hinge(Spec):
    """Lim and Ye 2017: the critic's loss is zero beyond a margin of 1."""

    kind: Literal["hinge"] = "hinge"


class MaximumLikelihood(Spec):
    """Goodfellow 2014 (arXiv:1412.6515): the generator minimises -D / (1 - D). With an optimal critic the gradient is
    that of the data's likelihood."""

    kind: Literal["maximum_likelihood"] = "maximum_likelihood"


class Kl(Spec):
    """Nowozin et al. 2016: the variational bound of KL(data || generated)."""

    kind: Literal["kl"] = "kl"


class ReverseKl(Spec):
    """Nowozin et al. 2016: the variational bound of KL(generated || data)."""

    kind: Literal["reverse_kl"] = "reverse_kl"


class Relativistic(Spec):
    """Jolicoeur-Martineau 2019: the critic compares each real example with a fake."""

    kind: Literal["relativistic"] = "relativistic"


class Began(Spec):
    """Berthelot et al. 2017: the critic's scores are reconstruction errors, and k balances real and fake."""

    kind: Literal["began"] = "began"
    diversity: float = Field(default=0.5, gt=0, le=1)
    """gamma: target ratio of the fakes' error to that of real pictures; smaller is sharper and less varied"""
    pace: float = Field(default=0.001, gt=0, le=1)
    """learning rate of k"""


class D2gan(Spec):
    """Nguyen et al. 2017: a second critic rewards fakes; together they bound the KL and the reverse KL divergence."""

    kind: Literal["d2gan"] = "d2gan"
    alpha: float = Field(default=0.2, gt=0, le=1)
    """weight of the first critic's logarithm: of the KL divergence"""
    beta: float = Field(default=0.1, gt=0, le=1)
    """weight of the second critic's logarithm: of the reverse KL divergence"""


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
