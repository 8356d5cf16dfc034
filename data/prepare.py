"""Prepare a picture for training: crop, resize, convert channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.decode import CURRENT_READING, Reading

Fit = Literal["crop", "pad", "tiles"]
Pixels = NDArray[np.uint8]
FILTER = Image.Resampling.BICUBIC
PREPARE_VERSION = 1
"""increased when `prepare` changes its result for a picture: part of the names of prepared files"""


@dataclass(frozen=True)
class Preparation:
    """The settings of `prepare`: a square of `side` pixels with 1 or 3 `channels`.

    `fit` decides how pictures become square; `nearest` is for label maps, whose levels must not be mixed.
    """

    side: int
    channels: int
    fit: Fit = "crop"
    nearest: bool = False
    reading: Reading = CURRENT_READING


class Tile(NamedTuple):
    """One of `of` squares, evenly spaced along the longer edge of a picture."""

    number: int
    of: int


WHOLE_SQUARE = Tile(0, 1)
"""the only tile: the centred square"""


def prepare(image: Image.Image, how: Preparation, tile: Tile = WHOLE_SQUARE) -> Pixels:
    """Prepare an image of mode L, LA, RGB or RGBA: uint8 [side, side, channels]."""
    side, resample = how.side, Image.Resampling.NEAREST if how.nearest else FILTER
    if how.fit == "pad":
        square = _padded(_with_channels(on_white(image), how.channels), side, resample)
    else:
        square = _with_channels(on_white(_square(image, tile)), how.channels).resize((side, side), resample)
    return np.asarray(square).reshape(side, side, how.channels)


def tile_count(width: int, height: int, fit: Fit) -> int:
    """Return into how many squares a picture is cut."""
    return -(-max(width, height) // min(width, height)) if fit == "tiles" else 1


def left_half(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, image.width // 2, image.height))


def right_half(image: Image.Image) -> Image.Image:
    """Return the right half, as wide as the left one: of an odd width the middle column is in neither."""
    return image.crop((image.width - image.width // 2, 0, image.width, image.height))


def describe(how: Preparation, *, halved: bool = False, labels: Sequence[str] = ()) -> dict[str, Any]:
    """Describe what `prepare` does, for reports. `labels` are the domains that are resized as label maps."""
    half, side, grey = " of the half" if halved else "", how.side, how.channels == 1
    fits = {
        "crop": f"crop the centred square whose side is the shorter edge{half}",
        "pad": f"put the whole picture{half} into a white square",
        "tiles": f"cut squares whose side is the shorter edge{half}, evenly along the longer one",
    }
    bits = how.reading.bits
    nearest = "".join(f"; pictures of {pile} by nearest" for pile in labels)
    steps = [
        "take the first frame, turned upright as its EXIF says",
        f"of more than 8 bits a sample keep the upper 8{f' of {bits}' if bits else ''}",
        "turn the colours of an ICC profile into those of sRGB",
        fits[how.fit],
        "lay what is transparent over white",
        "turn colour into grey (0.299 R + 0.587 G + 0.114 B)" if grey else "repeat grey over three channels",
        f"resize to {side} x {side} with Pillow's bicubic filter{nearest}",
    ]
    if halved:
        steps.insert(3, "split in the middle: the left half belongs to a, the right half to b")
    changed_by = "a job's overrides of data.side and data.channels; depth, fit and labels of another upload"
    return {
        "side": side,
        "channels": how.channels,
        "crop": {"crop": "centre", "pad": "none", "tiles": "tiles"}[how.fit],
        "filter": "bicubic",
        "steps": steps,
        "changed_by": changed_by,
    }


def _square(image: Image.Image, tile: Tile) -> Image.Image:
    """Crop the centred square, or one of several tiles."""
    short, long = sorted(image.size)
    place = (long - short) // 2 if tile.of == 1 else (long - short) * tile.number // (tile.of - 1)
    left, top = (place, 0) if image.width > image.height else (0, place)
    return image.crop((left, top, left + short, top + short))


def _padded(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Put the whole picture into the middle of a white square."""
    width, height = (max(1, round(edge * side / max(image.size))) for edge in image.size)
    paper = Image.new(image.mode, (side, side), "white")
    paper.paste(image.resize((width, height), resample), ((side - width) // 2, (side - height) // 2))
    return paper


def on_white(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    colour = image.convert("RGBA")
    over = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return over.convert("L" if image.mode == "LA" else "RGB")


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    return image.convert("L" if channels == 1 else "RGB")
