"""Objectives: the losses of critic and generator as functions of the critic's scores.

In the formulas r and f are the critic's scores (logits) of real and fake examples, s is the sigmoid, and means over
examples are left out. Tests compare each objective with its closed form; docs/objectives.md plots them.
"""

from abc import abstractmethod
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Losses, Scores
from models.spec import objectives as spec
from models.spec import plugins
from models.spec.base import FromPlugin


class Objective(nn.Module):
    """Base class. It is a module so that an objective's state (a balance, a running mean) is saved in buffers."""

    needs_real = False
    """whether the generator's loss also reads the scores of real examples"""

    @abstractmethod
    def critic_loss(self, scores: Scores) -> Tensor:
        """Return the scalar that the critic minimises."""

    @abstractmethod
    def generator_loss(self, scores: Scores) -> Tensor:
        """Return the scalar that the generator minimises."""

    def update_state(self, scores: Scores) -> None:
        """Update the objective's state. Called once per turn of the critic."""

    def gauges(self) -> Losses:
        """Return the state that is plotted, by name. It is reported, never optimised."""
        return {}


class Minimax(Objective):
    """critic: -t log s(r) - (1-t) log(1 - s(r)) - log(1 - s(f)), t = 1 - smoothing; generator: log(1 - s(f))."""

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.target = 1.0 - smoothing

    def critic_loss(self, scores: Scores) -> Tensor:
        # -t log s(r) - (1-t) log(1 - s(r)) = softplus(-r) + (1-t) r
        real = F.softplus(-scores.real_score) + (1 - self.target) * scores.real_score
        return real.mean() + F.softplus(scores.fake.score).mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return -F.softplus(scores.fake.score).mean()


class NonSaturating(Minimax):
    """critic: as minimax; generator: -log s(f)."""

    def generator_loss(self, scores: Scores) -> Tensor:
        return F.softplus(-scores.fake.score).mean()


class LeastSquares(Objective):
    """critic: c [(r - t)^2 + f^2]; generator: c (f - 1)^2."""

    def __init__(self, smoothing: float, scale: float) -> None:
        super().__init__()
        self.target = 1.0 - smoothing
        self.scale = scale

    def critic_loss(self, scores: Scores) -> Tensor:
        real = (scores.real_score - self.target).square().mean()
        return self.scale * (real + scores.fake.score.square().mean())

    def generator_loss(self, scores: Scores) -> Tensor:
        return self.scale * (scores.fake.score - 1).square().mean()


class Wasserstein(Objective):
    """critic: f - r; generator: -f."""

    def critic_loss(self, scores: Scores) -> Tensor:
        return scores.fake.score.mean() - scores.real_score.mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return -scores.fake.score.mean()


class Hinge(Objective):
    """critic: max(0, 1 - r) + max(0, 1 + f); generator: -f."""

    def critic_loss(self, scores: Scores) -> Tensor:
        return F.relu(1 - scores.real_score).mean() + F.relu(1 + scores.fake.score).mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return -scores.fake.score.mean()


class MaximumLikelihood(NonSaturating):
    """critic: as minimax; generator: -exp(f), which is -D / (1 - D).

    With an optimal critic exp(f) = p_data / p_g, and the gradient is that of the data's likelihood (Goodfellow 2014).
    """

    def generator_loss(self, scores: Scores) -> Tensor:
        return -scores.fake.score.exp().mean()


class Kl(Objective):
    """critic: exp(f - 1) - r; generator: -exp(f - 1). The negated critic's optimum is KL(data || generated)."""

    def critic_loss(self, scores: Scores) -> Tensor:
        return (scores.fake.score - 1).exp().mean() - scores.real_score.mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return -(scores.fake.score - 1).exp().mean()


class ReverseKl(Objective):
    """critic: exp(-r) + f - 1; generator: 1 - f. The negated critic's optimum is KL(generated || data)."""

    def critic_loss(self, scores: Scores) -> Tensor:
        return (-scores.real_score).exp().mean() + scores.fake.score.mean() - 1

    def generator_loss(self, scores: Scores) -> Tensor:
        return 1 - scores.fake.score.mean()


class Relativistic(Objective):
    """critic: -log s(r - f); generator: -log s(f - r), example by example."""

    needs_real = True

    def critic_loss(self, scores: Scores) -> Tensor:
        return F.softplus(scores.fake.score - scores.real_score).mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return F.softplus(scores.real_score - scores.fake.score).mean()


class Began(Objective):
    """critic: r - k f; generator: f, where r and f are reconstruction errors.

    After each turn of the critic pace (diversity r - f) is added to k, and k is clamped to [0, 1]. `convergence` is
    the paper's measure M = r + |diversity r - f|, which falls while the pictures get better.
    """

    balance: Tensor
    convergence: Tensor

    def __init__(self, diversity: float, pace: float) -> None:
        super().__init__()
        self.diversity, self.pace = diversity, pace
        self.register_buffer("balance", torch.zeros(()))
        self.register_buffer("convergence", torch.zeros(()))

    def critic_loss(self, scores: Scores) -> Tensor:
        return scores.real_score.mean() - self.balance.clone() * scores.fake.score.mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        return scores.fake.score.mean()

    @torch.no_grad()
    def update_state(self, scores: Scores) -> None:
        error = distributed.mean_over_ranks(scores.real_score.mean())
        gap = self.diversity * error - distributed.mean_over_ranks(scores.fake.score.mean())
        self.balance.add_(self.pace * gap).clamp_(0, 1)
        self.convergence.copy_(error + gap.abs())

    def gauges(self) -> Losses:
        return {"balance": self.balance, "convergence": self.convergence}


class D2gan(Objective):
    """Two critics, whose scores are the last dimension of the scores; D and E are the softplus of these.

    critics: -alpha log D(r) + D(f) + E(r) - beta log E(f); generator: beta log E(f) - D(f).
    """

    EPSILON = 1e-12

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def critic_loss(self, scores: Scores) -> Tensor:
        real, fake = F.softplus(scores.real_score), F.softplus(scores.fake.score)
        first = fake[..., 0].mean() - self.alpha * (real[..., 0] + self.EPSILON).log().mean()
        return first + real[..., 1].mean() - self.beta * (fake[..., 1] + self.EPSILON).log().mean()

    def generator_loss(self, scores: Scores) -> Tensor:
        fake = F.softplus(scores.fake.score)
        return self.beta * (fake[..., 1] + self.EPSILON).log().mean() - fake[..., 0].mean()


def build_objective(objective: spec.ObjectiveSpec) -> Objective:
    match objective:
        case spec.NonSaturating():
            return NonSaturating(objective.smoothing)
        case spec.Minimax():
            return Minimax(objective.smoothing)
        case spec.LeastSquares():
            return LeastSquares(objective.smoothing, objective.scale)
        case spec.Wasserstein():
            return Wasserstein()
        case spec.Hinge():
            return Hinge()
        case spec.MaximumLikelihood():
            return MaximumLikelihood(smoothing=0.0)
        case spec.Kl():
            return Kl()
        case spec.ReverseKl():
            return ReverseKl()
        case spec.Relativistic():
            return Relativistic()
        case spec.Began():
            return Began(objective.diversity, objective.pace)
        case spec.D2gan():
            return D2gan(objective.alpha, objective.beta)
        case FromPlugin():
            built: Objective = plugins.build("objective", objective)
            return built
        case _:
            assert_never(objective)
