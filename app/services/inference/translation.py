"""Prepare a picture for translation, and join the result with its alpha channel.

/translate, /upscale, /inpaint and jobs use it.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.errors import FieldError, Invalid
from data.deep_image import resized
from data.levels import bits_of, full_level
from models.spec.datasets import UNKNOWN_DATASET
from models.spec.games import Paired
from models.spec.recipe import Recipe

Array = NDArray[Any]
OPAQUE_ALPHA = 128
"""least alpha of a pixel outside of a hole, of 0 to 255: half of the levels"""
WHITE_MASK = 128
"""least level of a mask inside a hole, of 0 to 255"""
MAX_SCALE_RATIO = 2
"""ratio of a picture's shorter side to that of the training pictures, in either direction, without a note"""


def require_room(image: Array, recipe: Recipe, model: str, limit: int) -> None:
    """Raise Invalid if the picture that the network makes is larger than `limit` pixels."""
    height, width = recipe.canvas(*image.shape[:2])
    if height * width > limit:
        reason = (
            f"makes pictures {recipe.upscaling} times larger"
            if recipe.upscaling > 1
            else f"works on sides that are multiples of {recipe.side_multiple}"
        )
        sentence = (
            f"{model} {reason}, and {width} x {height} is more than {limit} pixels (max_pixels). "
            "Send a smaller picture."
        )
        raise _refused(sentence, "too_many_pixels")


def split_alpha(image: Array, recipe: Recipe, model: str) -> tuple[Array, Array | None]:
    """Split a picture [h, w, c] into the network's input and the alpha channel to join later, if there is one.

    A model that fills holes gets the hole as another channel instead. Raises Invalid if it needs a hole and has none.
    """
    colour, alpha = np.split(image, [recipe.source_channels], axis=2)
    if not recipe.fills_holes:
        return colour, alpha if alpha.size else None
    hole = alpha < OPAQUE_ALPHA << (bits_of(image) - 8)
    if hole.any():
        return _with_hole(colour, hole), None
    if isinstance(recipe.game, Paired) and recipe.game.mask == "random":
        sentence = f"{model} fills holes: make the area to fill transparent, in a PNG, WebP or TIFF."
        raise _refused(sentence, "no_hole")
    return colour, None


def cut_mask(image: Array, mask: Array, recipe: Recipe) -> tuple[Array, Array | None]:
    """Split a picture [h, w, c] as `split_alpha` does, with the hole where its mask is white, which becomes opaque.

    Raises Invalid as `hole_of` does.
    """
    hole = hole_of(image, mask)
    colour, alpha = np.split(image, [recipe.source_channels], axis=2)
    opaque = np.where(hole, full_level(image), alpha).astype(image.dtype) if alpha.size else None
    return _with_hole(colour, hole), opaque


def hole_of(image: Array, mask: Array) -> Array:
    """Return where the mask [h, w, c'] of a picture [h, w, c] is white, 128 or more: bool [h, w, 1].

    Raises Invalid if the mask has another size, or is white nowhere or everywhere.
    """
    (height, width), (mask_height, mask_width) = image.shape[:2], mask.shape[:2]
    if (height, width) != (mask_height, mask_width):
        sentence = (
            f"The mask is {mask_width} x {mask_height}, and the picture {width} x {height}: send both in one size."
        )
        raise _refused(sentence, "mask_size", "/mask")
    hole = mask[..., :1] >= WHITE_MASK
    if not hole.any():
        sentence = "The mask is black everywhere, so nothing is to be filled: paint the area to fill white."
        raise _refused(sentence, "mask_empty", "/mask")
    if hole.all():
        sentence = "The mask is white everywhere, so nothing is known: leave black what stays as it is."
        raise _refused(sentence, "mask_full", "/mask")
    return hole


def join_alpha(translated: Array, alpha: Array | None) -> Array:
    """Return the translated picture with the alpha channel of its source, resized if necessary."""
    if alpha is None:
        return translated
    height, width, _ = translated.shape
    if alpha.shape[:2] != (height, width):
        alpha = resized(alpha, (width, height), Image.Resampling.BICUBIC)
    return np.concatenate([translated, alpha], axis=2)


def notes(image: Array, recipe: Recipe) -> list[str]:
    """Return a sentence if the picture's scale differs much from that of the training pictures.

    The inputs of an enlarging model are smaller than the training pictures by its factor.
    """
    if recipe.data.dataset == UNKNOWN_DATASET:
        return []
    learned = getattr(recipe.data, "prepared_side", 0) // recipe.upscaling
    short = min(image.shape[:2])
    if not learned or (learned <= MAX_SCALE_RATIO * short and short <= MAX_SCALE_RATIO * learned):
        return []
    times = max(short, learned) / min(short, learned)
    relation = "larger" if short > learned else "smaller"
    return [
        f"The picture's shorter side is {short} px, {math.floor(10 * times) / 10:g} times {relation} than the {learned}"
        " px that the model learned from: details may come out at the wrong scale."
    ]


def _with_hole(colour: Array, hole: Array) -> Array:
    """Append a hole, true inside, as a channel: the full level inside."""
    return np.concatenate([colour, np.where(hole, full_level(colour), 0).astype(colour.dtype)], axis=2)


def _refused(sentence: str, code: str, pointer: str = "/file") -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
