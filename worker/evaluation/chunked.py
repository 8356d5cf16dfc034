"""Process many pictures in chunks: they may take more than the memory."""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batches import scaled

PART = 128
"""pictures looked at together, or made"""
LOOKED_AT, MADE = 2**23, 2**19
"""pixels of them at most: a part takes no more memory at a larger side"""
SMALL = 16
"""pixels of a side at which pictures are compared by their pixels"""


def spread(count: int, n: int) -> Tensor:
    """Numbers of n examples at most, evenly over `count`."""
    return torch.linspace(0, count - 1, min(n, count)).long()


def some(pile: Tensor, n: int) -> Tensor:
    """At most n of it, evenly spread."""
    return pile if len(pile) <= n else pile[spread(len(pile), n).to(pile.device)]


def in_parts(make: Callable[[slice], Tensor], n: int, size: int, beat: Callable[[], None]) -> Iterator[Tensor]:
    """What `make` gives for n rows, so many at a time, on the CPU in fp32; `beat` is called after each part."""
    for start in range(0, n, size):
        yield make(slice(start, min(n, start + size))).float().cpu()
        beat()


def part_of(shape: Sequence[int], pixels: int = LOOKED_AT) -> int:
    """How many examples of a shape [..., height, width] make a part; PART where they are no pictures."""
    return PART if len(shape) < 4 else max(1, min(PART, pixels // (shape[-1] * shape[-2])))


def shares(pile: Tensor, n: int | None = None) -> Iterator[Tensor]:
    """All of a pile or n of it, evenly spread, part by part."""
    size = part_of(pile.shape)
    if n is None or len(pile) <= n:
        yield from torch.split(pile, size)
        return
    for rows in torch.split(spread(len(pile), n), size):
        yield pile[rows.to(pile.device)]


def small(pile: Tensor, n: int | None = None, beat: Callable[[], None] = lambda: None) -> Tensor:
    """Pictures [n, c, s, s], bytes or in [-1, 1], as rows [n, d] in [-1, 1], averaged by area to SMALL pixels a side.

    All of the pile, or n of it, evenly spread; `beat` is called after each part.
    """
    side = min(SMALL, pile.shape[-1])
    parts = []
    for part in shares(pile, n):
        parts.append(F.interpolate(scaled(part), (side, side), mode="area").flatten(1).cpu())
        beat()
    return torch.cat(parts)
