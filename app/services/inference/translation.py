"""Prepare a picture for the network, and join its answer with the alpha channel; /translate and jobs share it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.errors import FieldError, Invalid
from models.spec.games import Paired
from models.spec.recipe import Recipe

Array = NDArray[Any]
OPAQUE = 128
"""alpha from which on a pixel is no part of a hole"""
FAR = 2
"""times that a picture's shorter side may be from that of the pictures that were learned from, either way"""


def channels_of(recipe: Recipe) -> int:
    channels: int = getattr(recipe.data, "channels", 3)
    return channels


def require_room(image: Array, recipe: Recipe, model: str, limit: int) -> None:
    """Bound what is made on the way as what comes in. Raises Invalid."""
    height, width = recipe.canvas(*image.shape[:2])
    if height * width > limit:
        makes = (
            f"makes pictures {recipe.upscaling} times larger"
            if recipe.upscaling > 1
            else f"works on sides that are multiples of {recipe.side_multiple}"
        )
        sentence = (
            f"{model} {makes}, and {width} x {height} is more than {limit} pixels (max_pixels). Send a smaller picture."
        )
        raise _refused(sentence, "too_many_pixels")


def parted(image: Array, recipe: Recipe, model: str) -> tuple[Array, Array | None]:
    """What the network is shown, and the alpha that goes around it. Raises Invalid."""
    colour, alpha = np.split(image, [channels_of(recipe)], axis=2)
    if not recipe.fills_holes:
        return colour, alpha if alpha.size else None
    hole = np.where(alpha < OPAQUE, 255, 0).astype(np.uint8)
    if hole.any():
        return np.concatenate([colour, hole], axis=2), None
    if isinstance(recipe.game, Paired) and recipe.game.mask == "random":
        sentence = f"{model} fills holes: make what it shall paint transparent, in a PNG, WebP or TIFF."
        raise _refused(sentence, "no_hole")
    return colour, None


def joined(made: Array, alpha: Array | None) -> Array:
    """What was transparent is transparent again."""
    if alpha is None:
        return made
    height, width, _ = made.shape
    if alpha.shape[:2] != (height, width):
        alpha = np.asarray(Image.fromarray(alpha[..., 0]).resize((width, height), Image.Resampling.BICUBIC))[..., None]
    return np.concatenate([made, alpha], axis=2)


def notes(image: Array, recipe: Recipe) -> list[str]:
    """A sentence where a picture is of another scale than those that were learned from.

    An enlarging model is shown pictures that are so many times smaller.
    """
    learned = getattr(recipe.data, "prepared_side", 0) // recipe.upscaling
    short = min(image.shape[:2])
    if not learned or (learned <= FAR * short and short <= FAR * learned):
        return []
    times = max(short, learned) / min(short, learned)
    relation = "larger" if short > learned else "smaller"
    return [
        f"The picture's shorter side is {short} px, {math.floor(10 * times) / 10:g} times {relation} than the {learned}"
        " px that the model learned from: details may come out at the wrong scale."
    ]


def _refused(sentence: str, code: str) -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError("/file", sentence),))
