"""Which examples stand in which batch: a function of (seed, number of the draw)."""

from functools import lru_cache

import torch
from torch import Tensor

from models.games import Batch
from models.rng import Rng, drawn
from models.spec.data import Sequences
from models.spec.recipe import Recipe
from worker.training.data import Data


class Batches:
    """Batches gathered by index from tensors that stay on the device.

    Examples are taken in a fresh order each epoch; a batch may straddle two epochs, so none is left out. Two piles
    have orders of their own, except in the paired game.
    """

    def __init__(self, recipe: Recipe, data: Data, device: torch.device) -> None:
        self.rng = Rng(recipe.seed)
        self.size = recipe.batch_size
        self.symbols = recipe.data.symbols if isinstance(recipe.data, Sequences) else 0
        self.real = _resident(data.images, data.points, data.sequences, data.a).to(device)
        self.other = None if data.b is None else data.b.to(device)
        self.label = None if data.labels is None else data.labels.to(device)
        self.other_pile = "a" if recipe.game.kind == "paired" else "b"
        self._order = lru_cache(maxsize=4)(self._permutation)

    def batch(self, draw: int) -> Batch:
        """Pictures scaled to [-1, 1]; points as they are; strings one-hot [n, length, symbols]."""
        rows = self._rows("a", draw)
        label = None if self.label is None else self.label[rows]
        other = None
        if self.other is not None:
            other = scaled(self.other[self._rows(self.other_pile, draw)])
        return Batch(self._shown(self.real[rows]), label, other)

    def first(self, n: int) -> Batch:
        """The first examples of the data, the same ones each time."""
        other = None if self.other is None else scaled(self.other[:n])
        return Batch(self._shown(self.real[:n]), None if self.label is None else self.label[:n], other)

    def answers(self, draw: int) -> Tensor:
        """What the generator of the paired game shall give back: the second picture of a pair, or the only one."""
        batch = self.batch(draw)
        return batch.real if batch.other is None else batch.other

    def _shown(self, real: Tensor) -> Tensor:
        if not self.symbols:
            return scaled(real)
        return (real[..., None] == torch.arange(self.symbols, device=real.device)).float()

    def _rows(self, pile: str, draw: int) -> Tensor:
        """The same rows on the device."""
        stream = self.rng.stream(f"rows/{pile}", draw)
        return drawn(stream, lambda own: self.indices(own.step, pile), self.real.device)

    def indices(self, draw: int, pile: str = "a") -> Tensor:
        """Rows [batch_size] of the given draw."""
        count = len(self.real) if pile == "a" or self.other is None else len(self.other)
        start, end = draw * self.size, (draw + 1) * self.size
        parts = []
        while start < end:
            epoch, place = divmod(start, count)
            part = self._order(pile, epoch, count)[place : place + end - start]
            parts.append(part)
            start += len(part)
        return torch.cat(parts)

    def _permutation(self, pile: str, epoch: int, count: int) -> Tensor:
        return torch.randperm(count, generator=Rng(self.rng.seed).stream(f"order/{pile}", epoch))


def _resident(*candidates: Tensor | None) -> Tensor:
    """The one that the dataset has."""
    return next(tensor for tensor in candidates if tensor is not None)


def scaled(x: Tensor) -> Tensor:
    """Pictures of bytes to [-1, 1]; points as they are."""
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x
