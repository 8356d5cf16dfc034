"""The synthesis game: a generator turns noise into pictures, points or strings that look real."""

from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from models import distributed
from models.augment import augment
from models.duel import Duel, Losses, Origin, Scores, Verdict
from models.games.game import Batch, Draw, Game
from models.latent import draw_latent
from models.nets.layers.common import still
from models.rng import Rng, Stream, drawn
from models.spec import games as spec
from models.spec.training import Latent


@runtime_checkable
class HasOwnLosses(Protocol):
    """A generator with terms of its own: named, weighted scalars."""

    def own_losses(self, label: Tensor | None) -> Losses: ...


@runtime_checkable
class HasEncoder(Protocol):
    """A generator that can also go back, from an example to a latent."""

    def encode(self, x: Tensor) -> Tensor: ...


class Synthesis(Game):
    """Noise against pictures, points or strings. Fakes are asked for the labels of the real batch beside them."""

    probability: Tensor

    def __init__(self, game: spec.Synthesis, generator: nn.Module, critic: nn.Module, latent: Latent) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator, "critic": critic}
        self.latent = latent
        if game.augment and game.augment.target is not None:
            self.register_buffer("probability", torch.zeros(()))

    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        n, prior = len(batch.real), self.latent
        noise = rng.stream("noise", number)
        z = drawn(noise, lambda own: distributed.part(draw_latent(prior, own, n)), batch.real.device)
        batch = batch.part()
        fake = self.players["generator"](z, self._label(batch))
        return Draw(number, batch, {"": batch.real}, {"": fake}, z)

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        return [self._duel(draw, draw.fake[""].detach(), rng.stream("altered/critic", draw.number))]

    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        generator = self.players["generator"]
        own = generator.own_losses(self._label(draw.batch)) if isinstance(generator, HasOwnLosses) else {}
        return [self._duel(draw, draw.fake[""], rng.stream("altered/generator", draw.number))], own

    @torch.no_grad()
    def update_state(self, scores: Scores) -> None:
        """Karras et al. 2020: more alterations while the critic is too sure of real pictures, fewer otherwise."""
        augment = self.game.augment
        if augment and augment.target is not None:
            surer = distributed.mean(scores.real_score.sign().mean()) - augment.target
            seen = distributed.count() * len(scores.real_score) * self.game.packing
            self.probability.add_(surer.sign() * (seen / augment.pace)).clamp_(0, 1)

    def gauges(self) -> Losses:
        adaptive = self.game.augment and self.game.augment.target is not None
        return {"augment": self.probability} if adaptive else {}

    def _label(self, batch: Batch) -> Tensor | None:
        return batch.label if self.game.conditional else None

    def _duel(self, draw: Draw, fake: Tensor, rng: Stream) -> Duel:
        label = self._label(draw.batch)
        generator = self.players["generator"]
        encode = generator.encode if isinstance(generator, HasEncoder) else None
        assert draw.latent is not None
        origin = Origin(draw.latent, partial(_again, generator, label), encode)
        critic = partial(self._judged, self.players["critic"], label, rng)
        return Duel(critic, packed(draw.real[""], self.game.packing), packed(fake, self.game.packing), label, origin)

    def _judged(self, critic: nn.Module, label: Tensor | None, rng: Stream, x: Tensor) -> Verdict:
        """What the critic says of a batch of packs, altered as the game says."""
        game = self.game
        if game.augment or game.instance_noise:
            x = unpacked(x, game.packing)
            if game.augment:
                probability = None if game.augment.target is None else self.probability
                x = augment(x, game.augment.transforms, probability, rng)
            if noise := self._noise():
                size = distributed.count() * len(x), *x.shape[1:]
                x = x + noise * drawn(rng, lambda own: distributed.part(torch.randn(size, generator=own)), x.device).to(
                    x
                )
            x = packed(x, game.packing)
        verdict: Verdict = critic(x, label)
        return verdict

    def _noise(self) -> float:
        """Today's standard deviation of the instance noise."""
        noise = self.game.instance_noise
        return noise.start * max(0.0, 1 - self.progress / noise.until) if noise else 0.0


def _again(generator: nn.Module, label: Tensor | None, z: Tensor) -> Tensor:
    """Drawn beside the game, for penalties: it leaves no trace in the generator."""
    with still(generator):
        drawn: Tensor = generator(z, label)
    return drawn


def packed(x: Tensor, packing: int) -> Tensor:
    """[n, c, ...] -> [n / packing, packing x c, ...]: neighbours are judged as one (Lin et al. 2018)."""
    return x if packing == 1 else x.reshape(len(x) // packing, packing * x.shape[1], *x.shape[2:])


def unpacked(x: Tensor, packing: int) -> Tensor:
    """The way back."""
    return x if packing == 1 else x.reshape(len(x) * packing, x.shape[1] // packing, *x.shape[2:])
