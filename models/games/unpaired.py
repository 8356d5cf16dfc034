"""CycleGAN's game: two generators and two critics between two domains without pairs; cycle and identity losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses
from models.games.game import Batch, Game, SampledBatch
from models.rng import Rng, Stream, draw_on
from models.spec import games as spec


class Unpaired(Game):
    """CycleGAN: a2b translates domain a to b, b2a back; critic "a" judges domain a, critic "b" domain b."""

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

    def sample(self, batch: Batch, rng: Rng, number: int) -> SampledBatch:
        if batch.other is None:
            raise ValueError("The unpaired game needs batches of two domains.")
        batch = batch.rank_part()
        assert batch.other is not None
        nets = self.players["generator"]
        assert isinstance(nets, nn.ModuleDict)
        fake = {"b": nets["a2b"](batch.real), "a": nets["b2a"](batch.other)}
        return SampledBatch(number, batch, {"a": batch.real, "b": batch.other}, fake)

    def critic_duels(self, sampled: SampledBatch, rng: Rng) -> list[Duel]:
        pools = {"a": self.pool_a, "b": self.pool_b}
        return [
            self._duel(
                sampled,
                domain,
                self._from_pool(pool, sampled.fake[domain].detach(), rng.stream(f"pool/{domain}", sampled.number)),
            )
            for domain, pool in pools.items()
        ]

    def generator_duels(self, sampled: SampledBatch, rng: Rng) -> tuple[list[Duel], Losses]:
        nets = self.players["generator"]
        assert isinstance(nets, nn.ModuleDict)
        a, b = sampled.real["a"], sampled.real["b"]
        losses: Losses = {}
        if self.game.cycle:
            cycle = F.l1_loss(nets["b2a"](sampled.fake["b"]), a) + F.l1_loss(nets["a2b"](sampled.fake["a"]), b)
            losses["cycle"] = self.game.cycle * cycle
        if self.game.identity:
            identity = F.l1_loss(nets["a2b"](b), b) + F.l1_loss(nets["b2a"](a), a)
            losses["identity"] = self.game.identity * identity
        return [self._duel(sampled, domain, sampled.fake[domain]) for domain in ("a", "b")], losses

    def _duel(self, sampled: SampledBatch, domain: str, fake: Tensor) -> Duel:
        critics = self.players["critic"]
        assert isinstance(critics, nn.ModuleDict)
        return Duel(critics[domain], sampled.real[domain], fake, domain=domain)

    def _from_pool(self, pool: Tensor, fakes: Tensor, rng: Stream) -> Tensor:
        """Query the pool for this rank's fakes. Every rank keeps the whole pool, filled from all ranks."""
        return distributed.rank_part(_query_pool(pool, distributed.all_gather(fakes), rng))


def _query_pool(pool: Tensor, fakes: Tensor, rng: Stream) -> Tensor:
    """Return each fake, or with probability 1/2 an older one that it replaces in the pool (Shrivastava et al. 2017).

    Until the pool is full every fake is returned and stored. How full the pool is follows from the stream's step.
    """
    size, n = len(pool), len(fakes)
    if not size:
        return fakes
    slots, stored, swapped = draw_on(rng, lambda g: _slots(g, size, n), fakes.device).unsqueeze(-1).unbind()
    returned = []
    for fake, slot, store, swap in zip(torch.split(fakes, 1), slots, stored, swapped, strict=True):
        older = pool.index_select(0, slot)
        returned.append(torch.where(swap.bool(), older.to(fake.dtype), fake))
        pool.index_copy_(0, slot, torch.where(store.bool(), fake.to(pool.dtype), older))
    return torch.cat(returned)


def _slots(rng: Stream, size: int, n: int) -> Tensor:
    """Draw [3, n]: each fake's slot, whether it is stored there, and whether the slot's older fake is returned."""
    rows = []
    for count in range(rng.step * n, rng.step * n + n):
        slot = int(torch.randint(size, (), generator=rng))
        swap = count >= size and bool(torch.rand((), generator=rng) < 0.5)
        rows.append((slot if count >= size else count, count < size or swap, swap))
    return torch.tensor(rows, dtype=torch.int64).T
