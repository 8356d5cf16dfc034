"""Games: they lay out duels, and close conditions, cycles and pools over them. They never touch weights."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import ranks
from models.augment import augment
from models.duel import Duel, Losses, Origin, Scores, Verdict
from models.latent import draw_latent
from models.nets.layers import still
from models.nets.schedule import Scheduled
from models.rng import Rng, Stream, drawn
from models.spec import games as spec
from models.spec.training import Latent


@dataclass(frozen=True, slots=True)
class Batch:
    """Real pictures [n, c, h, w] in [-1, 1], points [n, d] or strings [n, length, symbols], one symbol hot.

    `label` [n] or None; `other` is the second pile.
    """

    real: Tensor
    label: Tensor | None = None
    other: Tensor | None = None

    def part(self) -> "Batch":
        """What of it is this rank's."""
        label = None if self.label is None else ranks.part(self.label)
        return Batch(ranks.part(self.real), label, None if self.other is None else ranks.part(self.other))


@dataclass(frozen=True, slots=True)
class Draw:
    """What the generators made of one batch: by tag, real beside fake. Both turns of a step share one draw.

    From here on everything is this rank's part.
    """

    number: int
    batch: Batch
    real: dict[str, Tensor]
    fake: dict[str, Tensor]
    latent: Tensor | None = None
    given: Tensor | None = None
    """what the generator was shown, in the paired game"""


class Game(Scheduled):
    """A module so that a game with state (a pool, a probability) has buffers that are saved."""

    players: dict[str, nn.Module]
    """In a plain dict: players own their weights, the game's state is its buffers alone, and a lookahead can take the
    critic's place for one turn."""

    @abstractmethod
    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        """Run the generators once on draw `number` of the job, of this rank's part of the whole batch."""

    @abstractmethod
    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        """Duels with fakes detached."""

    @abstractmethod
    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        """Duels with fakes attached, and the losses that are no duel (cycle, identity, pixels)."""

    def settle(self, scores: Scores) -> None:
        """Called once at each turn of the critic; where a game's own state moves."""

    def gauges(self) -> Losses:
        """What of its state is worth watching, by name; reported and never optimised."""
        return {}


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
        z = drawn(noise, lambda own: ranks.part(draw_latent(prior, own, n)), batch.real.device)
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
    def settle(self, scores: Scores) -> None:
        """Karras et al. 2020: more alterations while the critic is too sure of real pictures, fewer otherwise."""
        augment = self.game.augment
        if augment and augment.target is not None:
            surer = ranks.mean(scores.real_score.sign().mean()) - augment.target
            seen = ranks.count() * len(scores.real_score) * self.game.packing
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
                size = ranks.count() * len(x), *x.shape[1:]
                x = x + noise * drawn(rng, lambda own: ranks.part(torch.randn(size, generator=own)), x.device).to(x)
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


class Unpaired(Game):
    """CycleGAN: a2b makes b's from a's, b2a the way back; critic "a" judges a's, critic "b" b's."""

    pool_a: Tensor
    pool_b: Tensor

    def __init__(
        self, game: spec.Unpaired, generator: nn.ModuleDict, critic: nn.ModuleDict, shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator, "critic": critic}
        self.register_buffer("pool_a", torch.zeros(game.pool, *shape))
        self.register_buffer("pool_b", torch.zeros(game.pool, *shape))

    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        if batch.other is None:
            raise ValueError("The unpaired game needs batches of two piles.")
        batch = batch.part()
        assert batch.other is not None
        nets = self.players["generator"]
        assert isinstance(nets, nn.ModuleDict)
        fake = {"b": nets["a2b"](batch.real), "a": nets["b2a"](batch.other)}
        return Draw(number, batch, {"a": batch.real, "b": batch.other}, fake)

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        pools = {"a": self.pool_a, "b": self.pool_b}
        return [
            self._duel(draw, tag, self._replayed(pool, draw.fake[tag].detach(), rng.stream(f"pool/{tag}", draw.number)))
            for tag, pool in pools.items()
        ]

    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        nets = self.players["generator"]
        assert isinstance(nets, nn.ModuleDict)
        a, b = draw.real["a"], draw.real["b"]
        losses: Losses = {}
        if self.game.cycle:
            there_and_back = F.l1_loss(nets["b2a"](draw.fake["b"]), a) + F.l1_loss(nets["a2b"](draw.fake["a"]), b)
            losses["cycle"] = self.game.cycle * there_and_back
        if self.game.identity:
            unchanged = F.l1_loss(nets["a2b"](b), b) + F.l1_loss(nets["b2a"](a), a)
            losses["identity"] = self.game.identity * unchanged
        return [self._duel(draw, tag, draw.fake[tag]) for tag in ("a", "b")], losses

    def _duel(self, draw: Draw, tag: str, fake: Tensor) -> Duel:
        critics = self.players["critic"]
        assert isinstance(critics, nn.ModuleDict)
        return Duel(critics[tag], draw.real[tag], fake, tag=tag)

    def _replayed(self, pool: Tensor, fakes: Tensor, rng: Stream) -> Tensor:
        """Every rank keeps the whole pool, of the fakes of all."""
        return ranks.part(_replay(pool, ranks.whole(fakes), rng))


def _replay(pool: Tensor, fakes: Tensor, rng: Stream) -> Tensor:
    """Shrivastava et al. 2017: show each fake, or with probability 1/2 an older one whose slot it takes.

    Until the pool is full every fake is shown and kept. How full it is follows from the stream's step.
    """
    size, n = len(pool), len(fakes)
    if not size:
        return fakes
    slots, keeps, shows_older = drawn(rng, lambda own: _slots(own, size, n), fakes.device).unsqueeze(-1).unbind()
    shown = []
    for fake, slot, kept, older in zip(torch.split(fakes, 1), slots, keeps, shows_older, strict=True):
        there = pool.index_select(0, slot)
        shown.append(torch.where(older.bool(), there.to(fake.dtype), fake))
        pool.index_copy_(0, slot, torch.where(kept.bool(), fake.to(pool.dtype), there))
    return torch.cat(shown)


def _slots(rng: Stream, size: int, n: int) -> Tensor:
    """[3, n]: for each fake its slot, whether it is kept there, and whether what lay there is shown instead."""
    rows = []
    for place in range(rng.step * n, rng.step * n + n):
        slot = int(torch.randint(size, (), generator=rng))
        taken = place >= size and bool(torch.rand((), generator=rng) < 0.5)
        rows.append((slot if place >= size else place, place < size or taken, taken))
    return torch.tensor(rows, dtype=torch.int64).T
