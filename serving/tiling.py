"""Translate a picture of any size: pad it to what the network takes, and cut large ones into tiles.

A tile is shown more than what is kept of it: as far around as the network reaches. Convolutions then compute as on the
whole picture. InstanceNorm would not, since it sees a tile alone: its statistics come from one pass over the picture at
reduced size and hold for all tiles.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.images import levels
from models.games import degrade
from models.spec.estimates.generator_sizes import generator_size
from models.spec.nets import MIN_TRANSLATED_SIDE, padded_side
from models.spec.recipe import Recipe
from serving.frozen_norms import Statistics, frozen, noted

Array = NDArray[Any]
TILE, LARGEST = 640, 1152
"""A picture of at most so many pixels squared is made in one piece; beyond, memory would grow with it. Every network
may take the first, and up to the second where its maps leave room."""
MAP = 64 * LARGEST**2
"""numbers that the largest map of a piece may have, 340 MB: those of the published networks at a megapixel"""


@dataclass(frozen=True)
class Translator:
    """A network that turns a picture into another.

    It takes sides that are multiples of `multiple` (a power of 2, 256 at most) and makes them `factor` times larger
    (1, 2 or 4). What lies more than `reach` pixels from a given one plays no part in it, norms apart. Where `fills`,
    the last channel of what it is given is a hole, 255 inside, and only that is painted.
    """

    network: nn.Module
    side_multiple: int = 4
    factor: int = 1
    fills: bool = False
    receptive_radius: int = 0


def tile_of(recipe: Recipe) -> int:
    """The side of the largest piece that a recipe's translator is given, once made."""
    widest = generator_size(recipe).largest_map / math.prod(recipe.shape[1:])
    return max(TILE, min(LARGEST, math.isqrt(int(MAP / widest))))


@dataclass(frozen=True)
class Window:
    """Of one side: what a tile is shown, the pixel from which it is laid, and over how many it fades in."""

    shown: slice
    start: int = 0
    fade: int = 0


def restyle(
    translator: Translator,
    image: Array,
    device: torch.device,
    *,
    tile: int = TILE,
    statistics: Statistics | None = None,
) -> Iterator[Array | None]:
    """`image` uint8 [h, w, channels]. Yields None after each piece of work and, last, the new picture [h, w, channels].

    It is `factor` times larger; the hole of one that fills is a channel of `image` and not of what comes back. No piece
    is larger than `tile` squared, once made. Tiles take `statistics` for the picture's own, where given.
    """
    canvas = [translator.factor * padded_side(side, translator.side_multiple) for side in image.shape[:2]]
    if math.prod(canvas) <= tile**2:
        yield levels(at_once(translator, [image], device)[0])
        return
    if statistics is None:
        statistics = _statistics(translator, image, device, tile)
        yield None
    yield from _tiled(translator, image, device, tile, statistics)


def _tiled(
    translator: Translator, image: Array, device: torch.device, tile: int, statistics: Statistics
) -> Iterator[Array | None]:
    """Row by row of tiles: beside what is given and what is made there is one such row in memory."""
    height, width, factor = image.shape[0], image.shape[1], translator.factor
    rows, columns = (_mirrored(side, translator.side_multiple) for side in (height, width))
    made = np.empty((factor * height, factor * width, image.shape[2] - translator.fills), np.uint8)
    for high in _windows(len(rows), translator, tile):
        band = np.empty((factor * len(rows[high.shown]), *made.shape[1:]), np.uint8)
        for wide in _windows(len(columns), translator, tile):
            with frozen(statistics):
                shown = _picked(image, rows[high.shown], columns[wide.shown])
                piece = levels(_through(translator, shown[None], device)[0])
            _lay(band.swapaxes(0, 1), piece.swapaxes(0, 1), wide, factor)
            yield None
        _lay(made, band, high, factor)
    yield made


def at_once(translator: Translator, images: Sequence[Array], device: torch.device) -> Array:
    """Pictures uint8 [h, w, channels] of one shape, in one piece -> float32 [n, h, w, channels] in [-1, 1].

    Sides are `factor` times larger.
    """
    height, width = images[0].shape[:2]
    rows, columns = (_mirrored(side, translator.side_multiple) for side in (height, width))
    made = _through(translator, np.stack([_picked(image, rows, columns) for image in images]), device)
    return made[:, : translator.factor * height, : translator.factor * width]


def _mirrored(side: int, multiple: int) -> Array:
    """The pixels of a side padded to the multiple, by number: the last ones come again in reverse."""
    return np.pad(np.arange(side), (0, padded_side(side, multiple) - side), mode="reflect")


def _picked(image: Array, rows: Array, columns: Array) -> Array:
    return image[rows[:, None], columns]


def _statistics(translator: Translator, image: Array, device: torch.device, tile: int) -> Statistics:
    """Of evenly spread pixels, so many as fit; were they mixed, what a hole hides would show beside it."""
    if not any(isinstance(module, nn.InstanceNorm2d) for module in translator.network.modules()):
        return {}
    height, width = image.shape[:2]
    few = _reduced(height, width, translator.side_multiple, (tile // translator.factor) ** 2)
    rows, columns = _spread(height, few[0]), _spread(width, few[1])
    with noted(translator.network) as seen:
        _through(translator, _picked(image, rows, columns)[None], device)
    return seen


def _reduced(height: int, width: int, multiple: int, pixels: int) -> tuple[int, int]:
    """Sides in about the given proportion that the network takes, of at most so many pixels where it can be."""
    least = padded_side(MIN_TRANSLATED_SIDE, multiple)
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    short = max(least, int(scale * min(height, width)) // multiple * multiple)
    long = max(least, min(int(scale * max(height, width)), pixels // short) // multiple * multiple)
    return (short, long) if height < width else (long, short)


def _spread(side: int, count: int) -> Array:
    """So many pixels of a side, by number, evenly spread."""
    return (np.arange(count) * side + side // 2) // count


def _windows(side: int, translator: Translator, tile: int) -> list[Window]:
    """Windows of equal length, no longer than they must be, that cover `side`, a multiple; evenly spread, and each
    begins at a multiple.

    Neighbours overlap by twice the reach and meet in the middle of it, where both compute as on the whole picture.
    Where that were more than three fifths of a tile they overlap by so much, and fade into each other.
    """
    unit = translator.side_multiple
    length = max(2, tile // translator.factor // unit)
    if side <= length * unit:
        return [Window(slice(0, side))]
    overlap, most = -(-2 * translator.receptive_radius // unit), length * 3 // 5
    fade = most * unit // 2 if overlap > most else 0
    overlap = min(overlap, most)
    count = -(-(side // unit - overlap) // (length - overlap))
    length = -(-(side // unit + (count - 1) * overlap) // count)
    starts = np.linspace(0, side // unit - length, count).round().astype(int) * unit
    shown = [slice(int(start), int(start) + length * unit) for start in starts]
    first = Window(shown[0])
    return [first, *(Window(new, (new.start + old.stop - fade) // 2, fade) for old, new in pairwise(shown))]


def _lay(onto: Array, piece: Array, window: Window, factor: int) -> None:
    """`piece` [n, ...] onto `onto` [side, ...], from where the window has it laid; a later one covers its end."""
    onto = onto[factor * window.start : factor * window.shown.stop]
    piece = piece[factor * (window.start - window.shown.start) :][: len(onto)]
    fade = min(factor * window.fade, len(onto))
    share = ((np.arange(fade) + 0.5) / (factor * window.fade or 1)).astype(np.float32)[:, None, None]
    onto[:fade] = np.rint(onto[:fade] * (1 - share) + piece[:fade] * share)
    onto[fade:] = piece[fade:]


def _through(translator: Translator, pieces: Array, device: torch.device) -> Array:
    """uint8 [n, h, w, channels] -> float32 [n, factor * h, factor * w, channels] in [-1, 1]."""
    x = torch.from_numpy(pieces).to(device).permute(0, 3, 1, 2).float()
    y: Tensor
    if translator.fills:
        colour, hole = x[:, :-1] / 127.5 - 1, x[:, -1:] / 255
        y = degrade.fill_hole(colour, translator.network(degrade.cut_hole(colour, hole)), hole)
    else:
        y = translator.network(x / 127.5 - 1)
    made: Array = y.float().permute(0, 2, 3, 1).cpu().numpy()
    return made
