"""Penalties: further terms that score a duel. Like objectives they never touch weights."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Scores, Turn
from models.rng import Stream, drawn
from models.spec import penalties as spec
from models.spec import plugins
from models.spec.base import FromPlugin


class Penalty(nn.Module):
    """A module only so that a penalty with state has buffers that are saved."""

    name: str
    slopes: Literal["real", "fake"] | None = None
    """the batch of the duel at which it differentiates the critic; the duel then runs in fp32 as a whole"""
    in_fp32 = True
    """else it is computed in the job's precision"""
    compares = False
    """whether the generator's turn needs the real batch judged too"""
    of_duels = True
    """whether each duel is scored; else the player is, once a turn"""

    def __init__(self, weights: dict[Turn, float], every: int = 1) -> None:
        super().__init__()
        self.weights = weights
        self.every = every

    def due(self, turn: Turn, step: int) -> bool:
        return self.weights.get(turn, 0.0) > 0 and step % self.every == 0

    def forward(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        """The weighted scalar; a lazy penalty weighs `every` times more, so that its mean pull is the same."""
        return self.weights[turn] * self.every * self.measure(turn, duel, scores, rng)

    @abstractmethod
    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        """The unweighted scalar."""

    def begin(self) -> None:
        """Called when the players begin with weights other than those they were built with."""

    def update_state(self) -> None:
        """Called once after each step; where a penalty's own state moves."""


class GradientPenalty(Penalty):
    """Mean of (|slope| - 1)^2 at random mixtures of real and fake (Gulrajani et al. 2017)."""

    name = "gradient_penalty"
    in_fp32 = False

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        real = duel.real.detach()
        n = distributed.count() * len(real)
        share = drawn(rng, lambda own: distributed.part(torch.rand(n, generator=own)), real.device)
        share = share.to(real).view(-1, *[1] * (real.dim() - 1))
        mixture = torch.lerp(real, duel.fake.detach().to(real.dtype), share).requires_grad_()
        slope = _slope(duel.critic(mixture).score.float(), mixture)
        excess: Tensor = torch.linalg.vector_norm(slope, dim=1) - 1
        return excess.square().mean()


class R1(Penalty):
    """Half the mean squared slope at real pictures (Mescheder et al. 2018); the duel's own scores are reused."""

    name = "r1"
    slopes = "real"

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        slope = _slope(scores.real_score, duel.real)
        return slope.square().sum(1).mean() / 2


class R2(Penalty):
    """Half the mean squared slope at fakes (Mescheder et al. 2018); the duel's own scores are reused."""

    name = "r2"
    slopes = "fake"

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        slope = _slope(scores.fake.score, duel.fake)
        return slope.square().sum(1).mean() / 2


class Auxiliary(Penalty):
    """Cross-entropy of the class the critic names: of real pictures on its own turn, of fakes on the generator's."""

    name = "auxiliary"

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        verdict = scores.real if turn == "critic" else scores.fake
        if verdict is None or verdict.classes is None or duel.label is None:
            raise ValueError("This critic names no classes; build it with a class head.")
        return F.cross_entropy(verdict.classes, duel.label)


class FeatureMatching(Penalty):
    """Mean squared difference between the mean features of real and of fakes (Salimans et al. 2016)."""

    name = "feature_matching"
    compares = True

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        fake, real = scores.fake.features, None if scores.real is None else scores.real.features
        if real is None or fake is None:
            raise ValueError("This critic shows no features; choose one that does.")
        return F.mse_loss(distributed.mean(fake.mean(0)), distributed.mean(real.detach().mean(0)))


class HistoricalAveraging(Penalty):
    """Squared distance of a player's weights from their mean over all steps so far (Salimans et al. 2016)."""

    name = "historical_averaging"
    of_duels = False
    steps: Tensor
    generator: Tensor
    critic: Tensor

    def __init__(self, weight: float, players: Mapping[Turn, nn.Module]) -> None:
        super().__init__({"critic": weight, "generator": weight})
        # In a plain dict: players own their weights; the state of the penalty is their mean.
        self.players = dict(players)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        for turn, player in players.items():
            self.register_buffer(turn, _flat(player).detach().clone())

    @torch.no_grad()
    def begin(self) -> None:
        for turn, player in self.players.items():
            self.get_buffer(turn).copy_(_flat(player))

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        now = _flat(self.players[turn])
        return (now - self.get_buffer(turn)).square().sum()

    @torch.no_grad()
    def update_state(self) -> None:
        self.steps += 1
        for turn, player in self.players.items():
            now = _flat(player)
            self.get_buffer(turn).lerp_(now, 1 / (self.steps + 1).to(now))


class JacobianClamping(Penalty):
    """How far G moves per step of its latent, beyond two bounds, squared (Odena et al. 2018, algorithm 1)."""

    name = "jacobian_clamping"

    def __init__(self, penalty: spec.JacobianClamping) -> None:
        super().__init__({"generator": penalty.weight})
        self.least, self.most, self.step = penalty.least, penalty.most, penalty.step

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        if duel.origin is None:
            raise ValueError("This duel's fakes come from no latent; remove jacobian_clamping.")
        latent = duel.origin.latent
        size = distributed.count() * len(latent), latent.shape[1]
        direction = drawn(
            rng, lambda own: F.normalize(distributed.part(torch.randn(size, generator=own)), dim=1), latent.device
        ).to(latent)
        # Drawn anew, both in fp32: in bf16 the difference of a small step would be rounding alone.
        stood = duel.origin.generate(latent).float().flatten(1)
        moved = duel.origin.generate(latent + self.step * direction).float().flatten(1)
        slope = torch.linalg.vector_norm(moved - stood, dim=1) / self.step
        return (F.relu(slope - self.most).square() + F.relu(self.least - slope).square()).mean()


class ModeRegulariser(Penalty):
    """Real examples encoded and drawn again: squared distance, and -log s of their score (Che et al. 2017)."""

    name = "mode_regulariser"

    def __init__(self, penalty: spec.ModeRegulariser) -> None:
        super().__init__({"generator": 1.0})
        self.distance, self.score = penalty.distance, penalty.score

    def measure(self, turn: Turn, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        if duel.origin is None or duel.origin.encode is None:
            raise ValueError("This generator has no encoder; choose an autoencoder.")
        again = duel.origin.generate(duel.origin.encode(duel.real)).float()
        missed = F.softplus(-duel.critic(again).score.float()).mean()
        return self.distance * F.mse_loss(again, duel.real) + self.score * missed


def _flat(network: nn.Module) -> Tensor:
    """Every weight in one row, whatever their order in memory: torch's parameters_to_vector takes one order only."""
    return torch.cat([weight.reshape(-1) for weight in network.parameters()])


def _slope(score: Tensor, x: Tensor) -> Tensor:
    """Gradient [n, features] of each example's score by that example, itself differentiable.

    A map of patch scores counts as its mean, as in the objectives, so that weights mean the same for every critic.
    """
    each = score.reshape(len(x), -1).mean(1)
    (slope,) = torch.autograd.grad(each.sum(), x, create_graph=True)
    return slope.flatten(1)


def build_penalty(penalty: spec.PenaltySpec, players: Mapping[Turn, nn.Module]) -> Penalty:
    match penalty:
        case spec.GradientPenalty():
            return GradientPenalty({"critic": penalty.weight}, penalty.every)
        case spec.R1():
            return R1({"critic": penalty.weight}, penalty.every)
        case spec.R2():
            return R2({"critic": penalty.weight}, penalty.every)
        case spec.Auxiliary():
            return Auxiliary({"critic": penalty.critic_weight, "generator": penalty.generator_weight})
        case spec.FeatureMatching():
            return FeatureMatching({"generator": penalty.weight})
        case spec.HistoricalAveraging():
            return HistoricalAveraging(penalty.weight, players)
        case spec.JacobianClamping():
            return JacobianClamping(penalty)
        case spec.ModeRegulariser():
            return ModeRegulariser(penalty)
        case FromPlugin():
            made: Penalty = plugins.build("penalty", penalty)
            return made
        case _:
            assert_never(penalty)
