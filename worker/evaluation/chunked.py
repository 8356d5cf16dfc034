"""Process many pictures in chunks, since they may be larger than the memory."""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batches import scaled, select

CHUNK_EXAMPLES = 128
"""most examples in a chunk"""
EMBEDDED_PIXELS, GENERATED_PIXELS = 2**23, 2**19
"""most pixels in a chunk that is embedded, and in one that is generated: larger pictures take no more memory"""
SMALL_SIDE = 16
"""side in pixels to which pictures are downscaled before their pixels are compared"""


def even_indices(count: int, n: int) -> Tensor:
    """Return at most n indices, evenly spaced from 0 to count - 1."""
    return torch.linspace(0, count - 1, min(n, count)).long()


def evenly_spaced(x: Tensor, n: int) -> Tensor:
    """Return at most n rows, evenly spaced."""
    return x if len(x) <= n else select(x, even_indices(len(x), n).to(x.device))


def run_in_chunks(
    generate: Callable[[slice], Tensor], n: int, size: int, heartbeat: Callable[[], None]
) -> Iterator[Tensor]:
    """Call `generate` for n rows, `size` at a time; yield each result on the CPU in fp32, then call `heartbeat`."""
    for start in range(0, n, size):
        yield generate(slice(start, min(n, start + size))).float().cpu()
        heartbeat()


def chunk_size(shape: Sequence[int], pixels: int = EMBEDDED_PIXELS) -> int:
    """Return the number of examples per chunk for pictures of a shape [n, c, h, w]; CHUNK_EXAMPLES for other data."""
    return CHUNK_EXAMPLES if len(shape) < 4 else max(1, min(CHUNK_EXAMPLES, pixels // (shape[-1] * shape[-2])))


def chunks(x: Tensor, n: int | None = None) -> Iterator[Tensor]:
    """Yield all rows, or n evenly spaced ones, in chunks."""
    size = chunk_size(x.shape)
    if n is None or len(x) <= n:
        yield from torch.split(x, size)
        return
    for rows in torch.split(even_indices(len(x), n), size):
        yield select(x, rows.to(x.device))


def downscaled(x: Tensor, n: int | None = None, heartbeat: Callable[[], None] = lambda: None) -> Tensor:
    """Downscale pictures [n, c, s, s] to SMALL_SIDE by averaging; return rows [n, d] in [-1, 1].

    The pictures are uint8, or float in [-1, 1]; with `n` only n evenly spaced ones are used. `heartbeat` is called
    after each chunk.
    """
    side = min(SMALL_SIDE, x.shape[-1])
    parts = []
    for part in chunks(x, n):
        parts.append(F.interpolate(scaled(part), (side, side), mode="area").flatten(1).cpu())
        heartbeat()
    return torch.cat(parts)
