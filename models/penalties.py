"""Penalties: further loss terms of a duel, beside its objective."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, PlayerName, Scores
from models.rng import Stream, draw_on
from models.spec import penalties as spec
from models.spec import plugins
from models.spec.base import FromPlugin


class Penalty(nn.Module):
    """Base class. It is a module so that a penalty's state is saved in buffers."""

    name: str
    gradient_at: Literal["real", "fake"] | None = None
    """the batch with respect to which it differentiates the scores; the whole duel then runs in fp32"""
    in_fp32 = True
    """whether it is computed in fp32; else in the job's precision"""
    needs_real = False
    """whether it reads the scores of real examples on the generator's turn too"""
    per_duel = True
    """whether it is computed for each duel of a turn; else once per turn"""

    def __init__(self, weights: dict[PlayerName, float], every: int = 1) -> None:
        super().__init__()
        self.weights = weights
        self.every = every

    def due(self, turn: PlayerName, step: int) -> bool:
        """Return whether the penalty applies to this turn of this step."""
        return self.weights.get(turn, 0.0) > 0 and step % self.every == 0

    def forward(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        """Return the weighted scalar. A penalty of every k-th step weighs k times more, for the same mean effect."""
        return self.weights[turn] * self.every * self.measure(turn, duel, scores, rng)

    @abstractmethod
    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        """Return the unweighted scalar."""

    def reset(self) -> None:
        """Reset the state. Called when a job starts from another model's weights."""

    def update_state(self) -> None:
        """Update the penalty's state. Called once after each step."""


class GradientPenalty(Penalty):
    """Mean of (|gradient| - 1)^2 at random mixtures of real and fake (WGAN-GP, Gulrajani et al. 2017)."""

    name = "gradient_penalty"
    in_fp32 = False

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        real = duel.real.detach()
        n = distributed.world_size() * len(real)
        share = draw_on(rng, lambda g: distributed.rank_part(torch.rand(n, generator=g)), real.device)
        share = share.to(real).view(-1, *[1] * (real.dim() - 1))
        mixture = torch.lerp(real, duel.fake.detach().to(real.dtype), share).requires_grad_()
        gradient = _input_gradient(duel.critic(mixture).score.float(), mixture)
        excess: Tensor = torch.linalg.vector_norm(gradient, dim=1) - 1
        return excess.square().mean()


class R1(Penalty):
    """Half the mean squared gradient at real examples (Mescheder et al. 2018); reuses the duel's scores."""

    name = "r1"
    gradient_at = "real"

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        gradient = _input_gradient(scores.real_score, duel.real)
        return gradient.square().sum(1).mean() / 2


class R2(Penalty):
    """Half the mean squared gradient at fakes (Mescheder et al. 2018); reuses the duel's scores."""

    name = "r2"
    gradient_at = "fake"

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        gradient = _input_gradient(scores.fake.score, duel.fake)
        return gradient.square().sum(1).mean() / 2


class Auxiliary(Penalty):
    """Cross-entropy of the critic's class logits (ACGAN): real examples on its turn, fakes on the generator's."""

    name = "auxiliary"

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        verdict = scores.real if turn == "critic" else scores.fake
        if verdict is None or verdict.classes is None or duel.label is None:
            raise ValueError("This critic has no class logits; build it with a class head.")
        return F.cross_entropy(verdict.classes, duel.label)


class FeatureMatching(Penalty):
    """Mean squared difference between the mean features of real and fake examples (Salimans et al. 2016)."""

    name = "feature_matching"
    needs_real = True

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        fake, real = scores.fake.features, None if scores.real is None else scores.real.features
        if real is None or fake is None:
            raise ValueError("This critic returns no features; choose one that does.")
        return F.mse_loss(distributed.mean_over_ranks(fake.mean(0)), distributed.mean_over_ranks(real.detach().mean(0)))


class HistoricalAveraging(Penalty):
    """Squared distance of a player's weights from their mean over all steps so far (Salimans et al. 2016)."""

    name = "historical_averaging"
    per_duel = False
    steps: Tensor
    generator: Tensor
    critic: Tensor

    def __init__(self, weight: float, players: Mapping[PlayerName, nn.Module]) -> None:
        super().__init__({"critic": weight, "generator": weight})
        # A plain dict: the players' weights are not part of the penalty's state, which is their mean.
        self.players = dict(players)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        for turn, player in players.items():
            self.register_buffer(turn, _flat_weights(player).detach().clone())

    @torch.no_grad()
    def reset(self) -> None:
        for turn, player in self.players.items():
            self.get_buffer(turn).copy_(_flat_weights(player))

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        weights = _flat_weights(self.players[turn])
        return (weights - self.get_buffer(turn)).square().sum()

    @torch.no_grad()
    def update_state(self) -> None:
        self.steps += 1
        for turn, player in self.players.items():
            weights = _flat_weights(player)
            self.get_buffer(turn).lerp_(weights, 1 / (self.steps + 1).to(weights))


class JacobianClamping(Penalty):
    """Square of the amount by which |dG/dz| is above `most` or below `least` (Odena et al. 2018, algorithm 1)."""

    name = "jacobian_clamping"

    def __init__(self, penalty: spec.JacobianClamping) -> None:
        super().__init__({"generator": penalty.weight})
        self.least, self.most, self.step = penalty.least, penalty.most, penalty.step

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        if duel.origin is None:
            raise ValueError("This duel's fakes come from no latent; remove jacobian_clamping.")
        latent = duel.origin.latent
        size = distributed.world_size() * len(latent), latent.shape[1]
        direction = draw_on(
            rng, lambda g: F.normalize(distributed.rank_part(torch.randn(size, generator=g)), dim=1), latent.device
        ).to(latent)
        # Both are generated again in fp32: in bf16 the difference of a small step would be rounding error alone.
        before = duel.origin.generate(latent).float().flatten(1)
        after = duel.origin.generate(latent + self.step * direction).float().flatten(1)
        rate = torch.linalg.vector_norm(after - before, dim=1) / self.step
        return (F.relu(rate - self.most).square() + F.relu(self.least - rate).square()).mean()


class ModeRegulariser(Penalty):
    """Squared error of reconstructed real examples, and -log s of their scores (Che et al. 2017)."""

    name = "mode_regulariser"

    def __init__(self, penalty: spec.ModeRegulariser) -> None:
        super().__init__({"generator": 1.0})
        self.distance, self.score = penalty.distance, penalty.score

    def measure(self, turn: PlayerName, duel: Duel, scores: Scores, rng: Stream) -> Tensor:
        if duel.origin is None or duel.origin.encode is None:
            raise ValueError("This generator has no encoder; choose an autoencoder.")
        reconstructed = duel.origin.generate(duel.origin.encode(duel.real)).float()
        loss = F.softplus(-duel.critic(reconstructed).score.float()).mean()
        return self.distance * F.mse_loss(reconstructed, duel.real) + self.score * loss


def _flat_weights(network: nn.Module) -> Tensor:
    """Return all weights as one vector. torch's parameters_to_vector fails for weights in channels_last order."""
    return torch.cat([weight.reshape(-1) for weight in network.parameters()])


def _input_gradient(score: Tensor, x: Tensor) -> Tensor:
    """Return the gradient [n, features] of each example's score by that example; it is differentiable itself.

    A map of patch scores counts as its mean, as in the objectives: weights mean the same for every critic.
    """
    example_score = score.reshape(len(x), -1).mean(1)
    (gradient,) = torch.autograd.grad(example_score.sum(), x, create_graph=True)
    return gradient.flatten(1)


def build_penalty(penalty: spec.PenaltySpec, players: Mapping[PlayerName, nn.Module]) -> Penalty:
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
            built: Penalty = plugins.build("penalty", penalty)
            return built
        case _:
            assert_never(penalty)
