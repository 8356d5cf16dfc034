"""Objectives: they score duels and never touch weights.

With r and f the critic's scores (logits) of real and fake, each is checked in the tests against its closed form.
"""

from abc import abstractmethod
from typing import assert_never

import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Scores
from models.spec import objectives as spec


class Objective(nn.Module):
    """A module only so that an objective with state (a balance, a running mean) has buffers that are saved."""

    compares = False
    """whether the generator's turn needs the real batch judged too"""

    @abstractmethod
    def critic(self, scores: Scores) -> Tensor:
        """The scalar that the critic minimises."""

    @abstractmethod
    def generator(self, scores: Scores) -> Tensor:
        """The scalar that the generator minimises."""

    def settle(self, scores: Scores) -> None:
        """Called once after each move of the critic; where an objective's own state moves."""


class Minimax(Objective):
    """critic: -t log s(r) - (1-t) log(1 - s(r)) - log(1 - s(f)), t = 1 - smoothing; generator: log(1 - s(f))."""

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.target = 1.0 - smoothing

    def critic(self, scores: Scores) -> Tensor:
        # -t log s(r) - (1-t) log(1 - s(r)) = softplus(-r) + (1-t) r
        real = F.softplus(-scores.real_score) + (1 - self.target) * scores.real_score
        return real.mean() + F.softplus(scores.fake.score).mean()

    def generator(self, scores: Scores) -> Tensor:
        return -F.softplus(scores.fake.score).mean()


class NonSaturating(Minimax):
    """critic: as minimax; generator: -log s(f)."""

    def generator(self, scores: Scores) -> Tensor:
        return F.softplus(-scores.fake.score).mean()


class LeastSquares(Objective):
    """critic: c [(r - t)^2 + f^2]; generator: c (f - 1)^2."""

    def __init__(self, smoothing: float, scale: float) -> None:
        super().__init__()
        self.target = 1.0 - smoothing
        self.scale = scale

    def critic(self, scores: Scores) -> Tensor:
        real = (scores.real_score - self.target).square().mean()
        return self.scale * (real + scores.fake.score.square().mean())

    def generator(self, scores: Scores) -> Tensor:
        return self.scale * (scores.fake.score - 1).square().mean()


class Wasserstein(Objective):
    """critic: f - r; generator: -f."""

    def critic(self, scores: Scores) -> Tensor:
        return scores.fake.score.mean() - scores.real_score.mean()

    def generator(self, scores: Scores) -> Tensor:
        return -scores.fake.score.mean()


class Hinge(Objective):
    """critic: max(0, 1 - r) + max(0, 1 + f); generator: -f."""

    def critic(self, scores: Scores) -> Tensor:
        return F.relu(1 - scores.real_score).mean() + F.relu(1 + scores.fake.score).mean()

    def generator(self, scores: Scores) -> Tensor:
        return -scores.fake.score.mean()


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
        case _:
            assert_never(objective)
