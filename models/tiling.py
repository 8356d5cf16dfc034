"""A picture of any size through a translator: padded to what the network takes, in tiles where it is large."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[Any]
MULTIPLE = 4
"""sides a translator takes: it halves twice"""
LEAST = 16
"""the shortest side that leaves the innermost maps something to reflect"""
WHOLE = 640 * 640
"""pixels up to which a picture goes through in one piece; beyond, memory would grow with it"""
TILE = 512
OVERLAP = 64
"""pixels over which neighbouring tiles are blended into each other"""


def restyle(network: nn.Module, image: Array, device: torch.device) -> Iterator[Array | None]:
    """`image` uint8 [h, w, channels]. Yields None after each piece of work and, last, the new picture, same shape."""
    height, width, _ = image.shape
    padded = _pad(image)
    if padded.shape[0] * padded.shape[1] <= WHOLE:
        yield _levels(_through(network, padded, device))[:height, :width]
        return
    total = np.zeros(padded.shape, np.float32)
    weight = np.zeros((*padded.shape[:2], 1), np.float32)
    for rows in _windows(padded.shape[0]):
        for columns in _windows(padded.shape[1]):
            ramp = _ramp(rows)[:, None, None] * _ramp(columns)[None, :, None]
            total[rows, columns] += _through(network, padded[rows, columns], device) * ramp
            weight[rows, columns] += ramp
            yield None
    painted = np.empty(padded.shape, np.uint8)
    for start in range(0, len(painted), TILE):  # in bands: on the way numbers take many times the room of pixels
        band = slice(start, start + TILE)
        painted[band] = _levels(total[band] / weight[band])
    yield painted[:height, :width]


def _pad(image: Array) -> Array:
    """Reflected at the right and at the bottom."""
    short = [max(LEAST, -(-side // MULTIPLE) * MULTIPLE) - side for side in image.shape[:2]]
    return np.pad(image, ((0, short[0]), (0, short[1]), (0, 0)), mode="reflect")


def _windows(side: int) -> list[slice]:
    """Overlapping slices of equal length that cover `side`, evenly spread."""
    if side <= TILE:
        return [slice(0, side)]
    count = -(-(side - OVERLAP) // (TILE - OVERLAP))
    starts = np.linspace(0, side - TILE, count).round().astype(int)
    return [slice(int(start), int(start) + TILE) for start in starts]


def _ramp(window: slice) -> Array:
    """Weights that rise from each end over the overlap."""
    length = window.stop - window.start
    from_end = np.minimum(np.arange(length) + 1, length - np.arange(length))
    ramp: Array = (np.minimum(from_end, OVERLAP) / OVERLAP).astype(np.float32)
    return ramp


def _through(network: nn.Module, piece: Array, device: torch.device) -> Array:
    """uint8 [h, w, channels] -> float32 [h, w, channels] in [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(piece)).to(device).permute(2, 0, 1)[None].float() / 127.5 - 1
    y: Tensor = network(x)
    out: Array = y[0].float().permute(1, 2, 0).cpu().numpy()
    return out


def _levels(values: Array) -> Array:
    levels: Array = np.clip(np.rint((values + 1) * 127.5), 0, 255).astype(np.uint8)
    return levels
