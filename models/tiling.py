"""A picture of any size through a translator: padded to what the network takes, in tiles where it is large."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import derive
from models.picture import levels
from models.spec.nets import padded

Array = NDArray[Any]
WHOLE = 640 * 640
"""pixels up to which a picture is made in one piece; beyond, memory would grow with it"""
TILE = 512
OVERLAP = 64
"""pixels over which neighbouring tiles are blended into each other"""


@dataclass(frozen=True)
class Translator:
    """A network that turns a picture into another.

    It takes sides that are multiples of `multiple` (a power of 2, 512 at most) and makes them `factor` times larger
    (1, 2 or 4). Where `fills`, the last channel of what it is given is a hole, 255 inside, and only that is painted.
    """

    network: nn.Module
    multiple: int = 4
    factor: int = 1
    fills: bool = False


def restyle(translator: Translator, image: Array, device: torch.device) -> Iterator[Array | None]:
    """`image` uint8 [h, w, channels]. Yields None after each piece of work and, last, the new picture [h, w, channels].

    It is `factor` times larger; the hole of one that fills is a channel of `image` and not of what comes back.
    """
    height, width, factor = image.shape[0], image.shape[1], translator.factor
    whole = _pad(image, translator.multiple)
    shown = (factor * whole.shape[0], factor * whole.shape[1], whole.shape[2] - translator.fills)
    if shown[0] * shown[1] <= WHOLE:
        yield levels(_through(translator, whole, device))[: factor * height, : factor * width]
        return
    total = np.zeros(shown, np.float32)
    weight = np.zeros((*shown[:2], 1), np.float32)
    for rows in _windows(whole.shape[0], factor):
        for columns in _windows(whole.shape[1], factor):
            at = _enlarged(rows, factor), _enlarged(columns, factor)
            ramp = _ramp(at[0])[:, None, None] * _ramp(at[1])[None, :, None]
            total[at] += _through(translator, whole[rows, columns], device) * ramp
            weight[at] += ramp
            yield None
    painted = np.empty(shown, np.uint8)
    for start in range(0, len(painted), TILE):  # in bands: on the way numbers take many times the room of pixels
        band = slice(start, start + TILE)
        painted[band] = levels(total[band] / weight[band])
    yield painted[: factor * height, : factor * width]


def _pad(image: Array, multiple: int) -> Array:
    """Reflected at the right and at the bottom."""
    short = [padded(side, multiple) - side for side in image.shape[:2]]
    return np.pad(image, ((0, short[0]), (0, short[1]), (0, 0)), mode="reflect")


def _windows(side: int, factor: int = 1) -> list[slice]:
    """Overlapping slices of equal length that cover `side`, evenly spread; a tile is measured once it is enlarged."""
    tile, overlap = TILE // factor, OVERLAP // factor
    if side <= tile:
        return [slice(0, side)]
    count = -(-(side - overlap) // (tile - overlap))
    starts = np.linspace(0, side - tile, count).round().astype(int)
    return [slice(int(start), int(start) + tile) for start in starts]


def _enlarged(window: slice, factor: int) -> slice:
    return slice(factor * window.start, factor * window.stop)


def _ramp(window: slice) -> Array:
    """Weights that rise from each end over the overlap."""
    length = window.stop - window.start
    from_end = np.minimum(np.arange(length) + 1, length - np.arange(length))
    ramp: Array = (np.minimum(from_end, OVERLAP) / OVERLAP).astype(np.float32)
    return ramp


def _through(translator: Translator, piece: Array, device: torch.device) -> Array:
    """uint8 [h, w, channels] -> float32 [h, w, channels] in [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(piece)).to(device).permute(2, 0, 1)[None].float()
    y: Tensor
    if translator.fills:
        colour, hole = x[:, :-1] / 127.5 - 1, x[:, -1:] / 255
        y = derive.filled(colour, translator.network(derive.holed(colour, hole)), hole)
    else:
        y = translator.network(x / 127.5 - 1)
    out: Array = y[0].float().permute(1, 2, 0).cpu().numpy()
    return out
