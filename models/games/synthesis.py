"""The synthesis game: a generator turns noise into pictures, points or strings that look real."""

from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from models import distributed
from models.augment import augment
from models.duel import Duel, Losses, Origin, Scores, Verdict
from models.games.game import Batch, Game, SampledBatch
from models.latent import draw_latent
from models.nets.layers.common import keep_running_statistics
from models.rng import Rng, Stream, draw_on
from models.spec import games as spec
from models.spec.training import Latent


@runtime_checkable
class HasExtraLosses(Protocol):
    """A generator with further loss terms: named, weighted scalars."""

    def extra_losses(self, label: Tensor | None) -> Losses: ...


@runtime_checkable
class HasEncoder(Protocol):
    """A generator that also encodes examples into latents."""

    def encode(self, x: Tensor) -> Tensor: ...


class Synthesis(Game):
    """One generator against one critic. Conditional fakes use the labels of the real batch."""

    probability: Tensor

    def __init__(self, game: spec.Synthesis, generator: nn.Module, critic: nn.Module, latent: Latent) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator, "critic": critic}
        self.latent = latent
        if game.augment and game.augment.target is not None:
            self.register_buffer("probability", torch.zeros(()))

    def sample(self, batch: Batch, rng: Rng, number: int) -> SampledBatch:
        n, prior = len(batch.real), self.latent
        noise = rng.stream("noise", number)
        z = draw_on(noise, lambda g: distributed.rank_part(draw_latent(prior, g, n)), batch.real.device)
        batch = batch.rank_part()
        fake = self.players["generator"](z, self._label(batch))
        return SampledBatch(number, batch, {"": batch.real}, {"": fake}, z)

    def critic_duels(self, sampled: SampledBatch, rng: Rng) -> list[Duel]:
        return [self._duel(sampled, sampled.fake[""].detach(), rng.stream("altered/critic", sampled.number))]

    def generator_duels(self, sampled: SampledBatch, rng: Rng) -> tuple[list[Duel], Losses]:
        generator = self.players["generator"]
        extra = generator.extra_losses(self._label(sampled.batch)) if isinstance(generator, HasExtraLosses) else {}
        return [self._duel(sampled, sampled.fake[""], rng.stream("altered/generator", sampled.number))], extra

    @torch.no_grad()
    def update_state(self, scores: Scores) -> None:
        """Raise the augmentation probability while the critic is too sure of real pictures (Karras et al. 2020)."""
        augment = self.game.augment
        if augment and augment.target is not None:
            excess = distributed.mean_over_ranks(scores.real_score.sign().mean()) - augment.target
            examples = distributed.world_size() * len(scores.real_score) * self.game.packing
            self.probability.add_(excess.sign() * (examples / augment.pace)).clamp_(0, 1)

    def gauges(self) -> Losses:
        adaptive = self.game.augment and self.game.augment.target is not None
        return {"augment": self.probability} if adaptive else {}

    def _label(self, batch: Batch) -> Tensor | None:
        return batch.label if self.game.conditional else None

    def _duel(self, sampled: SampledBatch, fake: Tensor, rng: Stream) -> Duel:
        label = self._label(sampled.batch)
        generator = self.players["generator"]
        encode = generator.encode if isinstance(generator, HasEncoder) else None
        assert sampled.latent is not None
        origin = Origin(sampled.latent, partial(_regenerate, generator, label), encode)
        critic = partial(self._judge, self.players["critic"], label, rng)
        return Duel(critic, pack(sampled.real[""], self.game.packing), pack(fake, self.game.packing), label, origin)

    def _judge(self, critic: nn.Module, label: Tensor | None, rng: Stream, x: Tensor) -> Verdict:
        """Augment a batch of packs, add instance noise, and return the critic's verdict."""
        game = self.game
        if game.augment or game.instance_noise:
            x = unpack(x, game.packing)
            if game.augment:
                probability = None if game.augment.target is None else self.probability
                x = augment(x, game.augment.transforms, probability, rng)
            if noise := self._noise():
                size = distributed.world_size() * len(x), *x.shape[1:]
                x = x + noise * draw_on(
                    rng, lambda g: distributed.rank_part(torch.randn(size, generator=g)), x.device
                ).to(x)
            x = pack(x, game.packing)
        verdict: Verdict = critic(x, label)
        return verdict

    def _noise(self) -> float:
        """Return the instance noise's standard deviation at this progress."""
        noise = self.game.instance_noise
        return noise.start * max(0.0, 1 - self.progress / noise.until) if noise else 0.0


def _regenerate(generator: nn.Module, label: Tensor | None, z: Tensor) -> Tensor:
    """Run the generator for a penalty, without a change to its running statistics."""
    with keep_running_statistics(generator):
        fake: Tensor = generator(z, label)
    return fake


def pack(x: Tensor, packing: int) -> Tensor:
    """Join neighbours into packs, [n, c, ...] -> [n / packing, packing x c, ...] (PacGAN, Lin et al. 2018)."""
    return x if packing == 1 else x.reshape(len(x) // packing, packing * x.shape[1], *x.shape[2:])


def unpack(x: Tensor, packing: int) -> Tensor:
    """Undo `pack`: [n, packing x c, ...] -> [n x packing, c, ...]."""
    return x if packing == 1 else x.reshape(len(x) * packing, x.shape[1] // packing, *x.shape[2:])
