"""Many pictures, looked at a part at a time: a pile may be larger than the memory, and uploads lie class by class."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.training.batches import scaled

PART = 128
"""pictures looked at together"""
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


def small(pictures: Tensor) -> Tensor:
    """[n, c, s, s], bytes or in [-1, 1], to rows [n, d] in [-1, 1], averaged by area to SMALL pixels a side at most."""
    side = min(SMALL, pictures.shape[-1])
    parts = torch.split(pictures, PART)
    return torch.cat([F.interpolate(scaled(part), (side, side), mode="area").flatten(1).cpu() for part in parts])
