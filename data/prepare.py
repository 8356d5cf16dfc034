"""Prepare a picture for training: crop, resize, convert channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.decode import CURRENT_RULES, DecodingRules
from data.deep_image import AnyImage, DeepImage, pixels_of
from data.levels import Pixels

Fit = Literal["crop", "pad", "tiles"]
FILTER = Image.Resampling.BICUBIC
PREPARE_VERSION = 1
"""increased when `prepare` changes its result for a picture: part of the names of prepared files"""


@dataclass(frozen=True)
class Preparation:
    """The settings of `prepare`: a square of `side` pixels with 1 or 3 `channels`.

    `fit` decides how pictures become square. A `label_map` is resized by nearest neighbour, so that its levels are not
    mixed. `decoding` says how the picture's file is decoded.
    """

    side: int
    channels: int
    fit: Fit = "crop"
    label_map: bool = False
    decoding: DecodingRules = CURRENT_RULES


class Tile(NamedTuple):
    """Square `number` of `total` squares that are evenly spaced along the longer edge of a picture."""

    number: int
    total: int


WHOLE_SQUARE = Tile(0, 1)
"""the only tile: the centred square"""


def prepare(image: AnyImage, preparation: Preparation, tile: Tile = WHOLE_SQUARE) -> Pixels:
    """Prepare an image of mode L, LA, RGB or RGBA: [side, side, channels], with the image's bits a sample."""
    side, resample = preparation.side, Image.Resampling.NEAREST if preparation.label_map else FILTER
    if preparation.fit == "pad":
        square = _padded(_with_channels(on_white(image), preparation.channels), side, resample)
    else:
        square = _with_channels(on_white(_square(image, tile)), preparation.channels).resize((side, side), resample)
    return pixels_of(square)


def prepare_mask(white: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Prepare a mask [h, w, 1] as `prepare` does pictures: [side, side, 1], true if any part of the pixel was."""
    square = _square(Image.fromarray(white[..., 0].astype(np.float32)), WHOLE_SQUARE)
    return np.asarray(square.resize((side, side), Image.Resampling.BOX))[..., None] > 0


def tile_count(width: int, height: int, fit: Fit) -> int:
    """Return the number of squares into which a picture is cut."""
    return -(-max(width, height) // min(width, height)) if fit == "tiles" else 1


def left_half(image: AnyImage) -> AnyImage:
    return image.crop((0, 0, image.width // 2, image.height))


def right_half(image: AnyImage) -> AnyImage:
    """Return the right half, as wide as the left one: of an odd width the middle column is in neither."""
    return image.crop((image.width - image.width // 2, 0, image.width, image.height))


def describe(preparation: Preparation, *, halved: bool = False, label_maps: Sequence[str] = ()) -> dict[str, Any]:
    """Describe the preparation for the report; the keys are the fields of data.uploads.report.Transform.

    `halved`: each picture is split in two halves. `label_maps` are the domains whose pictures are label maps.
    """
    half, side, grey = " of the half" if halved else "", preparation.side, preparation.channels == 1
    fits = {
        "crop": f"crop the centred square whose side is the shorter edge{half}",
        "pad": f"put the whole picture{half} into a white square",
        "tiles": f"cut squares whose side is the shorter edge{half}, evenly along the longer one",
    }
    exceptions = "".join(f"; pictures of {domain} by nearest" for domain in label_maps)
    steps = [
        "take the first frame and turn it upright as its EXIF says",
        *_sample_steps(preparation.decoding),
        fits[preparation.fit],
        "blend transparency with white",
        "convert colour to grey (0.299 R + 0.587 G + 0.114 B)" if grey else "repeat grey in three channels",
        f"resize to {side} x {side} with Pillow's bicubic filter{exceptions}",
    ]
    if halved:
        steps.insert(3, "split in the middle: the left half belongs to a, the right half to b")
    changed_by = (
        "data.side and data.channels in a job's recipe; to change depth, fit or labels, upload the archive again "
        "under another name"
    )
    return {
        "side": side,
        "channels": preparation.channels,
        "crop": {"crop": "centre", "pad": "none", "tiles": "tiles"}[preparation.fit],
        "filter": "bicubic",
        "steps": steps,
        "changed_by": changed_by,
    }


def _sample_steps(decoding: DecodingRules) -> list[str]:
    if decoding.bits == 8:
        of = f" of {decoding.depth}" if decoding.depth else ""
        return [
            f"reduce samples of more than 8 bits to their upper 8{of}",
            "convert the colours of an ICC profile to sRGB",
        ]
    significant = f"the {decoding.depth} significant bits" if decoding.depth else "all bits"
    return [
        f"keep {significant} of a sample, as levels from 0 to 65535",
        "convert the colours of an ICC profile to sRGB if samples have 8 bits",
    ]


def _square(image: AnyImage, tile: Tile) -> AnyImage:
    """Crop the tile: the centred square if it is the only one."""
    short, long = sorted(image.size)
    offset = (long - short) // 2 if tile.total == 1 else (long - short) * tile.number // (tile.total - 1)
    left, top = (offset, 0) if image.width > image.height else (0, offset)
    return image.crop((left, top, left + short, top + short))


def _padded(image: AnyImage, side: int, resample: Image.Resampling) -> AnyImage:
    """Put the whole picture into the middle of a white square."""
    width, height = (max(1, round(edge * side / max(image.size))) for edge in image.size)
    resized, corner = image.resize((width, height), resample), ((side - width) // 2, (side - height) // 2)
    if isinstance(resized, DeepImage):
        return resized.on_square(side, corner)
    paper = Image.new(image.mode, (side, side), "white")
    paper.paste(resized, corner)
    return paper


def on_white(image: AnyImage) -> AnyImage:
    """Blend an image with white by its alpha, if it has one."""
    if isinstance(image, DeepImage):
        return image.on_white()
    if not image.mode.endswith("A"):
        return image
    colour = image.convert("RGBA")
    over = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return over.convert("L" if image.mode == "LA" else "RGB")


def _with_channels(image: AnyImage, channels: int) -> AnyImage:
    return image.convert("L" if channels == 1 else "RGB")
