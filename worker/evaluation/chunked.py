"""Process many pictures in chunks, since they may be larger than the memory."""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batches import scaled

CHUNK_EXAMPLES = 128
"""examples in a chunk at most"""
EMBEDDED_PIXELS, GENERATED_PIXELS = 2**23, 2**19
"""pixels in a chunk that is embedded or generated, at most, so that larger pictures take no more memory"""
SMALL_SIDE = 16
"""pixels of a side at which pixels are compared"""


def even_indices(count: int, n: int) -> Tensor:
    """Return at most n indices, evenly spaced over `count`."""
    return torch.linspace(0, count - 1, min(n, count)).long()


def evenly_spaced(x: Tensor, n: int) -> Tensor:
    """Return at most n rows, evenly spaced."""
    return x if len(x) <= n else x[even_indices(len(x), n).to(x.device)]


def run_in_chunks(make: Callable[[slice], Tensor], n: int, size: int, beat: Callable[[], None]) -> Iterator[Tensor]:
    """Run `make` on n rows, `size` at a time; yield the results on the CPU in fp32, and call `beat` after each."""
    for start in range(0, n, size):
        yield make(slice(start, min(n, start + size))).float().cpu()
        beat()


def chunk_size(shape: Sequence[int], pixels: int = EMBEDDED_PIXELS) -> int:
    """Return the examples per chunk for data of a shape [n, c, h, w]; CHUNK_EXAMPLES for other shapes."""
    return CHUNK_EXAMPLES if len(shape) < 4 else max(1, min(CHUNK_EXAMPLES, pixels // (shape[-1] * shape[-2])))


def chunks(x: Tensor, n: int | None = None) -> Iterator[Tensor]:
    """Yield all rows, or n evenly spaced ones, in chunks."""
    size = chunk_size(x.shape)
    if n is None or len(x) <= n:
        yield from torch.split(x, size)
        return
    for rows in torch.split(even_indices(len(x), n), size):
        yield x[rows.to(x.device)]


def downscaled(x: Tensor, n: int | None = None, beat: Callable[[], None] = lambda: None) -> Tensor:
    """Average pictures [n, c, s, s], bytes or in [-1, 1], to SMALL_SIDE; return rows [n, d] in [-1, 1].

    Take all of them, or n evenly spaced ones; call `beat` after each chunk.
    """
    side = min(SMALL_SIDE, x.shape[-1])
    parts = []
    for part in chunks(x, n):
        parts.append(F.interpolate(scaled(part), (side, side), mode="area").flatten(1).cpu())
        beat()
    return torch.cat(parts)
