"""Penalties: further terms that score a duel. Like objectives they never touch weights."""

from abc import abstractmethod
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Duel, Scores, Turn
from models.spec import penalties as spec


class Penalty(nn.Module):
    """A module only so that a penalty with state has buffers that are saved."""

    name: str
    slopes = False
    """whether it differentiates the critic by its input: the duel then runs in fp32, its real batch with gradients"""

    def __init__(self, weights: dict[Turn, float], every: int = 1) -> None:
        super().__init__()
        self.weights = weights
        self.every = every

    def due(self, turn: Turn, step: int) -> bool:
        return self.weights.get(turn, 0.0) > 0 and step % self.every == 0

    def forward(self, turn: Turn, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        """The weighted scalar; a lazy penalty weighs `every` times more, so that its mean pull is the same."""
        return self.weights[turn] * self.every * self.measure(duel, scores, rng)

    @abstractmethod
    def measure(self, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        """The unweighted scalar."""


class GradientPenalty(Penalty):
    """Mean of (|slope| - 1)^2 at random mixtures of real and fake (Gulrajani et al. 2017)."""

    name = "gradient_penalty"
    slopes = True

    def measure(self, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        real = duel.real.detach()
        share = torch.rand(len(real), generator=rng).to(real).view(-1, *[1] * (real.dim() - 1))
        mixture = torch.lerp(real, duel.fake.detach().to(real.dtype), share).requires_grad_()
        slope = _slope(duel.critic(mixture).score, mixture)
        excess: Tensor = torch.linalg.vector_norm(slope, dim=1) - 1
        return excess.square().mean()


class R1(Penalty):
    """Half the mean squared slope at real pictures (Mescheder et al. 2018); the duel's own scores are reused."""

    name = "r1"
    slopes = True

    def measure(self, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        slope = _slope(scores.real_score, duel.real)
        return slope.square().sum(1).mean() / 2


class Auxiliary(Penalty):
    """Cross-entropy of the class the critic names: of real pictures on its own turn, of fakes on the generator's."""

    name = "auxiliary"

    def measure(self, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        verdict = scores.real or scores.fake
        if verdict.classes is None or duel.label is None:
            raise ValueError("This critic names no classes; build it with a class head.")
        return F.cross_entropy(verdict.classes, duel.label)


def _slope(score: Tensor, x: Tensor) -> Tensor:
    """Gradient [n, features] of each example's score by that example, itself differentiable.

    A map of patch scores counts as its mean, as in the objectives, so that weights mean the same for every critic.
    """
    each = score.reshape(len(x), -1).mean(1)
    (slope,) = torch.autograd.grad(each.sum(), x, create_graph=True)
    return slope.flatten(1)


def build_penalty(penalty: spec.PenaltySpec) -> Penalty:
    match penalty:
        case spec.GradientPenalty():
            return GradientPenalty({"critic": penalty.weight}, penalty.every)
        case spec.R1():
            return R1({"critic": penalty.weight}, penalty.every)
        case spec.Auxiliary():
            return Auxiliary({"critic": penalty.critic_weight, "generator": penalty.generator_weight})
        case _:
            assert_never(penalty)
