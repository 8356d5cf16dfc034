"""Games: they lay out duels, and close conditions, cycles and pools over them. They never touch weights."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Duel, Losses, Origin
from models.latent import draw_latent
from models.rng import Rng
from models.spec import games as spec
from models.spec.training import Latent


@dataclass(frozen=True, slots=True)
class Batch:
    """Real pictures [n, c, h, w] in [-1, 1] or points [n, 2]; `label` [n] or None; `other` is the second pile."""

    real: Tensor
    label: Tensor | None = None
    other: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What the generators made of one batch: by tag, real beside fake. Both turns of a step share one draw."""

    number: int
    batch: Batch
    real: dict[str, Tensor]
    fake: dict[str, Tensor]
    latent: Tensor | None = None


class Game(nn.Module):
    """A module only so that a game with state (the pool) has buffers that are saved."""

    @abstractmethod
    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        """Run the generators once on draw `number` of the job."""

    @abstractmethod
    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        """Duels with fakes detached."""

    @abstractmethod
    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        """Duels with fakes attached, and the losses that are no duel (cycle, identity, pixels)."""


class Synthesis(Game):
    """Noise against pictures or points. Fakes are asked for the labels of the real batch beside them."""

    def __init__(self, generator: nn.Module, critic: nn.Module, latent: Latent, conditional: bool) -> None:
        super().__init__()
        # In a plain dict: players own their weights, the game's state is its buffers alone, and a lookahead
        # can take the critic's place for one turn.
        self.players = {"generator": generator, "critic": critic}
        self.latent = latent
        self.conditional = conditional

    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        z = draw_latent(self.latent, rng.stream("noise", number), len(batch.real)).to(batch.real.device)
        fake = self.players["generator"](z, self._label(batch))
        return Draw(number, batch, {"": batch.real}, {"": fake}, z)

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        return [self._duel(draw, draw.fake[""].detach())]

    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        return [self._duel(draw, draw.fake[""])], {}

    def _label(self, batch: Batch) -> Tensor | None:
        return batch.label if self.conditional else None

    def _duel(self, draw: Draw, fake: Tensor) -> Duel:
        label = self._label(draw.batch)
        assert draw.latent is not None
        origin = Origin(draw.latent, partial(self.players["generator"], label=label))
        return Duel(partial(self.players["critic"], label=label), draw.real[""], fake, label, origin)


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
        nets = self.players["generator"]
        assert isinstance(nets, nn.ModuleDict)
        fake = {"b": nets["a2b"](batch.real), "a": nets["b2a"](batch.other)}
        return Draw(number, batch, {"a": batch.real, "b": batch.other}, fake)

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        pools = {"a": self.pool_a, "b": self.pool_b}
        return [
            self._duel(
                draw, tag, _replay(pool, draw.fake[tag].detach(), draw.number, rng.stream(f"pool/{tag}", draw.number))
            )
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


def _replay(pool: Tensor, fakes: Tensor, number: int, rng: torch.Generator) -> Tensor:
    """Shrivastava et al. 2017: show each fake, or with probability 1/2 an older one whose slot it takes.

    Until the pool is full every fake is shown and kept. How full it is follows from the draw's number.
    """
    size = len(pool)
    if not size:
        return fakes
    shown = []
    for i, fake in enumerate(fakes):
        place = number * len(fakes) + i
        slot = int(torch.randint(size, (), generator=rng))
        keep = place >= size and torch.rand((), generator=rng) < 0.5
        if place < size:
            pool[place] = fake
        shown.append(pool[slot].to(fake.dtype, copy=True) if keep else fake)
        if keep:
            pool[slot] = fake
    return torch.stack(shown)
