"""Translate a picture of any size: pad it to the network's multiple, and cut large ones into tiles.

The input of a tile is larger than the part of its output that is used, by the network's receptive radius, so that
convolutions compute the same as on the whole picture. All tiles use the InstanceNorm statistics of one pass over the
picture at reduced size.
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

from data.levels import bits_of, full_level, levels
from models.games import degrade
from models.spec.estimates.generator_sizes import generator_size
from models.spec.nets import MIN_TRANSLATED_SIDE, padded_side
from models.spec.recipe import Recipe
from serving.frozen_norms import NormStatistics, frozen, recording

Array = NDArray[Any]
TILE_SIDE, MAX_TILE_SIDE = 640, 1152
"""sides of tiles in pixels: that of networks with large maps, and the largest, of networks with small maps. Pictures of
at most a tile's area are translated in one piece"""
MAX_MAP_NUMBERS = 64 * MAX_TILE_SIDE**2
"""most numbers of a tile's largest map, 340 MB: as many as the published networks have at a megapixel"""


@dataclass(frozen=True)
class Translator:
    """A network that translates pictures.

    It takes sides that are multiples of `side_multiple` (a power of 2, at most 256) and makes them `factor` times
    larger (1, 2 or 4). Apart from norms, no pixel influences an output pixel beyond `receptive_radius`. If `fills`, the
    last channel of the input is a hole, the full level inside, and only the hole is filled.
    """

    network: nn.Module
    side_multiple: int = 4
    factor: int = 1
    fills: bool = False
    receptive_radius: int = 0
    channels: int | None = None
    """channels of its output; None: those of its input without the hole"""


def tile_side(recipe: Recipe) -> int:
    """Return the output side in pixels of the largest tile of a recipe's translator."""
    numbers_per_pixel = generator_size(recipe).largest_map / math.prod(recipe.shape[1:])
    return max(TILE_SIDE, min(MAX_TILE_SIDE, math.isqrt(int(MAX_MAP_NUMBERS / numbers_per_pixel))))


@dataclass(frozen=True)
class Window:
    """A tile along one edge of the picture."""

    shown: slice
    """its input pixels"""
    start: int = 0
    """first pixel from which its output is used"""
    fade: int = 0
    """number of pixels over which its output fades in"""


def translate_in_tiles(
    translator: Translator,
    image: Array,
    device: torch.device,
    *,
    tile: int = TILE_SIDE,
    statistics: NormStatistics | None = None,
) -> Iterator[Array | None]:
    """Translate `image` [h, w, channels]; yield None after each tile, and finally the picture [h, w, channels].

    Both are uint8, or both uint16. The result is `factor` times larger. A hole is a channel of `image` and not of the
    result. A tile's output has at most `tile` squared pixels. `statistics` replace those of the picture.
    """
    canvas = [translator.factor * padded_side(side, translator.side_multiple) for side in image.shape[:2]]
    if math.prod(canvas) <= tile**2:
        yield levels(translate_whole(translator, [image], device)[0], bits_of(image))
        return
    if statistics is None:
        statistics = _norm_statistics(translator, image, device, tile)
        yield None
    yield from _translate_tiles(translator, image, device, tile, statistics)


def computed_pixels(translator: Translator, height: int, width: int, *, tile: int = TILE_SIDE) -> int:
    """Return how many output pixels `translate_in_tiles` computes for a picture; overlaps count repeatedly."""
    multiple, factor = translator.side_multiple, translator.factor
    sides = padded_side(height, multiple), padded_side(width, multiple)
    if factor**2 * math.prod(sides) <= tile**2:
        return factor**2 * math.prod(sides)
    rows, columns = (sum(_length(window) for window in _windows(side, translator, tile)) for side in sides)
    statistics = 0
    if _has_instance_norm(translator.network):
        statistics = math.prod(_reduced_size(height, width, multiple, (tile // factor) ** 2))
    return factor**2 * (rows * columns + statistics)


def _length(window: Window) -> int:
    length: int = window.shown.stop - window.shown.start
    return length


def _translate_tiles(
    translator: Translator, image: Array, device: torch.device, tile: int, statistics: NormStatistics
) -> Iterator[Array | None]:
    """Translate one row of tiles after another; memory holds the input, the output and one row of tiles."""
    height, width, factor = image.shape[0], image.shape[1], translator.factor
    rows, columns = (_reflected_indices(side, translator.side_multiple) for side in (height, width))
    channels = translator.channels or image.shape[2] - translator.fills
    output = np.empty((factor * height, factor * width, channels), image.dtype)
    for vertical in _windows(len(rows), translator, tile):
        band = np.empty((factor * len(rows[vertical.shown]), *output.shape[1:]), image.dtype)
        for horizontal in _windows(len(columns), translator, tile):
            with frozen(statistics):
                shown = _select_pixels(image, rows[vertical.shown], columns[horizontal.shown])
                piece = levels(_run(translator, shown[None], device)[0], bits_of(image))
            _blend(band.swapaxes(0, 1), piece.swapaxes(0, 1), horizontal, factor)
            yield None
        _blend(output, band, vertical, factor)
    yield output


def translate_whole(translator: Translator, images: Sequence[Array], device: torch.device) -> Array:
    """Translate levels [h, w, channels] of one shape without tiles into float32 [n, h, w, channels] in [-1, 1].

    Output sides are `factor` times larger.
    """
    height, width = images[0].shape[:2]
    rows, columns = (_reflected_indices(side, translator.side_multiple) for side in (height, width))
    output = _run(translator, np.stack([_select_pixels(image, rows, columns) for image in images]), device)
    return output[:, : translator.factor * height, : translator.factor * width]


def _reflected_indices(side: int, multiple: int) -> Array:
    """Return the pixel indices of a side padded to the multiple by reflection."""
    return np.pad(np.arange(side), (0, padded_side(side, multiple) - side), mode="reflect")


def _select_pixels(image: Array, rows: Array, columns: Array) -> Array:
    return image[rows[:, None], columns]


def _norm_statistics(translator: Translator, image: Array, device: torch.device, tile: int) -> NormStatistics:
    """Return InstanceNorm's statistics over a subset of evenly spaced pixels that fits into one tile.

    Pixels are selected and not averaged, since averages would mix the content of a hole into its surroundings.
    """
    if not _has_instance_norm(translator.network):
        return {}
    height, width = image.shape[:2]
    reduced = _reduced_size(height, width, translator.side_multiple, (tile // translator.factor) ** 2)
    rows, columns = _even_indices(height, reduced[0]), _even_indices(width, reduced[1])
    with recording(translator.network) as statistics:
        _run(translator, _select_pixels(image, rows, columns)[None], device)
    return statistics


def _has_instance_norm(network: nn.Module) -> bool:
    return any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())


def _reduced_size(height: int, width: int, multiple: int, pixels: int) -> tuple[int, int]:
    """Return sides that are multiples, in about the picture's proportion, with at most `pixels` in all if possible."""
    smallest = padded_side(MIN_TRANSLATED_SIDE, multiple)
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    short = max(smallest, int(scale * min(height, width)) // multiple * multiple)
    long = max(smallest, min(int(scale * max(height, width)), pixels // short) // multiple * multiple)
    return (short, long) if height < width else (long, short)


def _even_indices(side: int, count: int) -> Array:
    """Return `count` evenly spaced pixel indices of a side."""
    return (np.arange(count) * side + side // 2) // count


def _windows(side: int, translator: Translator, tile: int) -> list[Window]:
    """Return evenly spaced windows of equal, minimal length that cover `side`; each starts at a multiple.

    Neighbours overlap by twice the receptive radius. Each is used up to the middle of the overlap, where both compute
    the same as on the whole picture. If the overlap would be more than three fifths of a tile, it is three fifths, and
    the neighbours fade into each other.
    """
    unit = translator.side_multiple
    length = max(2, tile // translator.factor // unit)
    if side <= length * unit:
        return [Window(slice(0, side))]
    overlap, max_overlap = -(-2 * translator.receptive_radius // unit), length * 3 // 5
    fade = max_overlap * unit // 2 if overlap > max_overlap else 0
    overlap = min(overlap, max_overlap)
    count = -(-(side // unit - overlap) // (length - overlap))
    length = -(-(side // unit + (count - 1) * overlap) // count)
    starts = np.linspace(0, side // unit - length, count).round().astype(int) * unit
    shown = [slice(int(start), int(start) + length * unit) for start in starts]
    first = Window(shown[0])
    return [first, *(Window(new, (new.start + old.stop - fade) // 2, fade) for old, new in pairwise(shown))]


def _blend(onto: Array, piece: Array, window: Window, factor: int) -> None:
    """Write `piece` [n, ...] into `onto` [side, ...] from the window's start; the next window overwrites its end."""
    onto = onto[factor * window.start : factor * window.shown.stop]
    piece = piece[factor * (window.start - window.shown.start) :][: len(onto)]
    fade = min(factor * window.fade, len(onto))
    share = ((np.arange(fade) + 0.5) / (factor * window.fade or 1)).astype(np.float32)[:, None, None]
    onto[:fade] = np.rint(onto[:fade] * (1 - share) + piece[:fade] * share)
    onto[fade:] = piece[fade:]


def _run(translator: Translator, pieces: Array, device: torch.device) -> Array:
    """Run the network on levels [n, h, w, channels]; return float32 [n, factor h, factor w, channels] in [-1, 1]."""
    x, full = torch.from_numpy(pieces).to(device).permute(0, 3, 1, 2).float(), full_level(pieces)
    y: Tensor
    if translator.fills:
        colour, hole = x[:, :-1] / (full / 2) - 1, x[:, -1:] / full
        y = degrade.fill_hole(colour, translator.network(degrade.cut_hole(colour, hole)), hole)
    else:
        y = translator.network(x / (full / 2) - 1)
    output: Array = y.float().permute(0, 2, 3, 1).cpu().numpy()
    return output
