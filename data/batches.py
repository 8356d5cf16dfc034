"""Which examples stand in which batch: a function of (seed, number of the draw)."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from data.readers.base import centre_crop
from data.readers.builtin import Data
from models.games.game import Batch
from models.rng import Rng, Stream, draw_on
from models.spec.data import Paired, Sequences, Unpaired
from models.spec.recipe import Recipe


class Batches:
    """Batches gathered by index from tensors that stay on the device.

    Examples are taken in a fresh order each epoch; a batch may straddle two epochs, so none is left out. Two piles
    have orders of their own, except in the paired game.

    Of piles that are prepared larger than the networks see, each batch shows random crops; in the paired game both
    pictures of a pair are cut and mirrored alike. `real` and `other` show the middle.
    """

    def __init__(self, recipe: Recipe, data: Data, device: torch.device) -> None:
        self.rng = Rng(recipe.seed)
        self.size = recipe.batch_size
        self.symbols = recipe.data.symbols if isinstance(recipe.data, Sequences) else 0
        self._real = _first_present(data.images, data.points, data.sequences, data.a).to(device)
        self._other = None if data.b is None else data.b.to(device)
        self._crops = _crops(recipe, self._real)
        self.real, self.other = self._real, self._other
        if self._crops is not None:
            self.real = centre_crop(self._real, self._crops.side)
            self.other = None if self._other is None else centre_crop(self._other, self._crops.side)
        self.label = None if data.labels is None else data.labels.to(device)
        self.other_pile = "a" if recipe.game.kind == "paired" else "b"
        self._order = lru_cache(maxsize=4)(self._permutation)

    def batch(self, draw: int) -> Batch:
        """Pictures scaled to [-1, 1]; points as they are; strings one-hot [n, length, symbols]."""
        rows = self._rows("a", draw)
        label = None if self.label is None else self.label[rows]
        other = None
        if self._other is not None:
            pile = self.other_pile
            other = scaled(self._taken(self._other, self._rows(pile, draw), pile, draw))
        return Batch(self._shown(self._taken(self._real, rows, "a", draw)), label, other)

    def first(self, n: int) -> Batch:
        """The first examples of the data, the same ones each time."""
        other = None if self.other is None else scaled(self.other[:n])
        return Batch(self._shown(self.real[:n]), None if self.label is None else self.label[:n], other)

    def answers(self, draw: int) -> Tensor:
        """What the generator of the paired game shall give back: the second picture of a pair, or the only one."""
        batch = self.batch(draw)
        return batch.real if batch.other is None else batch.other

    def _taken(self, pile: Tensor, rows: Tensor, name: str, draw: int) -> Tensor:
        """The rows, cut and mirrored where the recipe has it."""
        if self._crops is None:
            return pile[rows]
        stream = self.rng.stream(f"crops/{name}", draw)
        return self._crops.of(pile, rows, draw_on(stream, self._crops.places, pile.device))

    def _shown(self, real: Tensor) -> Tensor:
        if not self.symbols:
            return scaled(real)
        return (real[..., None] == torch.arange(self.symbols, device=real.device)).float()

    def _rows(self, pile: str, draw: int) -> Tensor:
        """The same rows on the device."""
        stream = self.rng.stream(f"rows/{pile}", draw)
        return draw_on(stream, lambda own: self.indices(own.step, pile), self.real.device)

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


@dataclass(frozen=True)
class Crops:
    """Random squares of `side` pixels out of pictures of `load`; mirrored, every second one by chance, where `flip`."""

    side: int
    load: int
    flip: bool
    count: int
    """of a batch"""

    def places(self, stream: Stream) -> Tensor:
        """int64 [count, 3]: top, left, and 1 where it is mirrored."""
        corners = torch.randint(self.load - self.side + 1, (self.count, 2), generator=stream)
        mirrored = torch.randint(1 + self.flip, (self.count, 1), generator=stream)
        return torch.cat([corners, mirrored], dim=1)

    def of(self, pile: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        """uint8 [count, c, side, side]. By indices alone, so that a captured step can repeat it."""
        top, left, mirrored = places.unsqueeze(2).unbind(1)
        along = torch.arange(self.side, device=pile.device)
        down, across = top + along, left + torch.where(mirrored > 0, self.side - 1 - along, along)
        channels = torch.arange(pile.shape[1], device=pile.device)
        return pile[rows[:, None, None, None], channels[:, None, None], down[:, None, :, None], across[:, None, None]]


def _crops(recipe: Recipe, pile: Tensor) -> Crops | None:
    """None where batches show pictures as they are."""
    data = recipe.data
    if not isinstance(data, Unpaired | Paired) or (data.prepared_side == data.side and not data.flip):
        return None
    return Crops(data.side, pile.shape[-1], data.flip, recipe.batch_size)


def _first_present(*candidates: Tensor | None) -> Tensor:
    """The one that the dataset has."""
    return next(tensor for tensor in candidates if tensor is not None)


def scaled(x: Tensor) -> Tensor:
    """Pictures of bytes to [-1, 1]; points as they are."""
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


def as_bytes(x: Tensor) -> Tensor:
    """Pictures in [-1, 1] as uint8, as they are served; the inverse of `scaled`. What lies outside is cut off."""
    return x.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
