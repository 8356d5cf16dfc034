"""What training does to a picture before it learns from it. The one implementation, and its words. Knows no torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
FILTER = Image.Resampling.BICUBIC
VERSION = 1
"""counted up when equal pictures come out otherwise than before"""


def prepare(image: Image.Image, side: int, channels: int) -> Pixels:
    """An image of mode L, LA, RGB or RGBA as uint8 [side, side, channels], channels 1 or 3."""
    square = _on_white(_centre_square(image))
    return np.asarray(_of(square, channels).resize((side, side), FILTER)).reshape(side, side, channels)


def left_half(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, image.width // 2, image.height))


def right_half(image: Image.Image) -> Image.Image:
    """As wide as the left one: of an odd width the middle column is in neither."""
    return image.crop((image.width - image.width // 2, 0, image.width, image.height))


def described(side: int, channels: int, *, halved: bool = False) -> dict[str, Any]:
    """What `prepare` does, in words and values."""
    steps = [
        "take the first frame, turned upright as its EXIF says",
        "of 16 bits a sample keep the upper 8",
        f"crop the centred square whose side is the shorter edge{' of the half' if halved else ''}",
        "lay what is transparent over white",
        "turn colour into grey (0.299 R + 0.587 G + 0.114 B)" if channels == 1 else "repeat grey over three channels",
        f"resize to {side} x {side} with Pillow's bicubic filter",
    ]
    if halved:
        steps.insert(2, "split in the middle: the left half belongs to a, the right half to b")
    changed_by = "a job's overrides of data.side and data.channels"
    return {
        "side": side,
        "channels": channels,
        "crop": "centre",
        "filter": "bicubic",
        "steps": steps,
        "changed_by": changed_by,
    }


def _centre_square(image: Image.Image) -> Image.Image:
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    return image.crop((left, top, left + short, top + short))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    colour = image.convert("RGBA")
    over = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return over.convert("L" if image.mode == "LA" else "RGB")


def _of(image: Image.Image, channels: int) -> Image.Image:
    return image.convert("L" if channels == 1 else "RGB")
