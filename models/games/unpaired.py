"""CycleGAN's game: two generators, two critics, two piles of pictures without pairs; cycle and identity losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses
from models.games.game import Batch, Draw, Game
from models.rng import Rng, Stream, drawn
from models.spec import games as spec


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
        return distributed.part(_replay(pool, distributed.whole(fakes), rng))


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
