"""Choose the examples of each batch, as a function of the seed and the batch's number."""

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
    """Batches of a training, selected by index from tensors that stay on the device.

    Each epoch has a new random order. A batch may span two epochs, so that no example is left out. The two domains of
    the unpaired game have separate orders; pairs stay together.

    If pictures are prepared larger than the networks' input, batches hold random crops; both pictures of a pair are
    cropped and mirrored alike. `real` and `other` are all examples of the first and the second domain, centre-cropped;
    `other` is None without a second domain.
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
        self.other_domain = "a" if recipe.game.kind == "paired" else "b"
        """name of the random streams of `other`: those of `a` keep pairs together"""
        self._order = lru_cache(maxsize=4)(self._permutation)

    def batch(self, number: int) -> Batch:
        """Return batch `number`: pictures scaled to [-1, 1], points unchanged, strings one-hot [n, length, symbols]."""
        rows = self._rows("a", number)
        label = None if self.label is None else self.label[rows]
        other = None
        if self._other is not None:
            domain = self.other_domain
            other = scaled(self._select(self._other, self._rows(domain, number), domain, number))
        return Batch(self._encode(self._select(self._real, rows, "a", number)), label, other)

    def first(self, n: int) -> Batch:
        """Return the first n examples of the data, centre-cropped."""
        other = None if self.other is None else scaled(self.other[:n])
        return Batch(self._encode(self.real[:n]), None if self.label is None else self.label[:n], other)

    def targets(self, number: int) -> Tensor:
        """Return the targets of batch `number` of the paired game: the second pictures of pairs, or the pictures."""
        batch = self.batch(number)
        return batch.real if batch.other is None else batch.other

    def _select(self, examples: Tensor, rows: Tensor, domain: str, number: int) -> Tensor:
        """Return the examples of these rows, cropped and mirrored if the recipe says so."""
        if self._crops is None:
            return select(examples, rows)
        stream = self.rng.stream(f"crops/{domain}", number)
        return self._crops.cut(examples, rows, draw_on(stream, self._crops.draw_offsets, examples.device))

    def _encode(self, real: Tensor) -> Tensor:
        if not self.symbols:
            return scaled(real)
        return (real[..., None] == torch.arange(self.symbols, device=real.device)).float()

    def _rows(self, domain: str, number: int) -> Tensor:
        """Return `indices` on the device."""
        stream = self.rng.stream(f"rows/{domain}", number)
        return draw_on(stream, lambda g: self.indices(g.step, domain), self.real.device)

    def indices(self, number: int, domain: str = "a") -> Tensor:
        """Return the row [batch_size] of each example of batch `number`, on the CPU."""
        count = len(self.real) if domain == "a" or self.other is None else len(self.other)
        start, end = number * self.size, (number + 1) * self.size
        parts = []
        while start < end:
            epoch, position = divmod(start, count)
            part = self._order(domain, epoch, count)[position : position + end - start]
            parts.append(part)
            start += len(part)
        return torch.cat(parts)

    def _permutation(self, domain: str, epoch: int, count: int) -> Tensor:
        return torch.randperm(count, generator=Rng(self.rng.seed).stream(f"order/{domain}", epoch))


@dataclass(frozen=True)
class Crops:
    """Random square crops of `side` pixels from pictures of `load` pixels; with `flip` half of them are mirrored."""

    side: int
    load: int
    flip: bool
    count: int
    """number of crops per batch"""

    def draw_offsets(self, stream: Stream) -> Tensor:
        """Draw int64 [count, 3]: top, left, and 1 for a mirrored crop."""
        corners = torch.randint(self.load - self.side + 1, (self.count, 2), generator=stream)
        mirrored = torch.randint(1 + self.flip, (self.count, 1), generator=stream)
        return torch.cat([corners, mirrored], dim=1)

    def cut(self, pictures: Tensor, rows: Tensor, offsets: Tensor) -> Tensor:
        """Return crops [count, c, side, side]. It only indexes tensors, so a CUDA graph can capture it."""
        top, left, mirrored = offsets.unsqueeze(2).unbind(1)
        index = torch.arange(self.side, device=pictures.device)
        y, x = top + index, left + torch.where(mirrored > 0, self.side - 1 - index, index)
        channels = torch.arange(pictures.shape[1], device=pictures.device)
        where = rows[:, None, None, None], channels[:, None, None], y[:, None, :, None], x[:, None, None]
        return select(pictures, where)


def _crops(recipe: Recipe, pictures: Tensor) -> Crops | None:
    """Return the recipe's crops, or None if batches hold whole pictures."""
    data = recipe.data
    if not isinstance(data, Unpaired | Paired) or (data.prepared_side == data.side and not data.flip):
        return None
    return Crops(data.side, pictures.shape[-1], data.flip, recipe.batch_size)


_FULL_LEVELS = {torch.uint8: 255, torch.uint16: 65535}
"""largest level of a picture by the type of its tensor"""


def _first_present(*candidates: Tensor | None) -> Tensor:
    """Return the first tensor that is not None."""
    return next(tensor for tensor in candidates if tensor is not None)


def scaled(x: Tensor) -> Tensor:
    """Scale levels of pictures, uint8 or uint16, to [-1, 1]; return points unchanged."""
    full = _FULL_LEVELS.get(x.dtype)
    return x if full is None else x.float().div_(full / 2).sub_(1)


def as_levels(x: Tensor, bits: int = 8) -> Tensor:
    """Convert pictures in [-1, 1] to levels of 8 or 16 bits, as they are served; values outside are clamped.

    It is the inverse of `scaled`.
    """
    dtype = torch.uint8 if bits == 8 else torch.uint16
    return x.clamp(-1, 1).add(1).mul(_FULL_LEVELS[dtype] / 2).round().to(dtype)


def select(examples: Tensor, index: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return `examples[index]`. Levels of 16 bits are indexed as int16, since torch indexes no uint16 on a GPU."""
    if examples.dtype == torch.uint16:
        return examples.view(torch.int16)[index].view(torch.uint16)
    return examples[index]
