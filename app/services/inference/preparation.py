"""Prepare sent pictures as the training prepared its own: the centred square, at the model's side and channels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import FieldError, Invalid
from data.deep_image import image_of
from data.levels import full_level
from data.prepare import Preparation, prepare, prepare_mask
from models.spec.data import Images

Array = NDArray[Any]


def prepared(picture: Array, data: Images) -> Array:
    """Return a picture, levels [h, w, c] whose last channel may be alpha, as [side, side, channels]."""
    return prepare(image_of(picture[..., : data.channels]), Preparation(data.side, data.channels))


def prepared_with_hole(picture: Array, hole: Array, data: Images) -> Array:
    """Return a picture that is unknown where `hole` [h, w, 1] is true as [side, side, channels + 1].

    The last channel is 0 where all of a pixel is known, and the full level elsewhere. Unknown pixels are set to the
    mean of the known ones before, so that nothing of them reaches others. Raises Invalid if nothing or everything is
    unknown in the centred square.
    """
    colour = picture[..., : data.channels]
    known = np.broadcast_to(~hole, colour.shape)
    mean = colour.mean((0, 1), where=known).round().astype(colour.dtype)
    unknown = prepare_mask(hole, data.side)
    if unknown.all() or not unknown.any():
        sentence = f"The model sees the centred square at {data.side} x {data.side}, and there the mask is " + (
            "white everywhere: leave more black." if unknown.any() else "black everywhere: paint white inside it."
        )
        code = "mask_full" if unknown.any() else "mask_empty"
        raise Invalid(sentence, code=code, errors=(FieldError("/mask", sentence),))
    levels = prepared(np.where(hole, mean, colour), data)
    return np.concatenate([levels, np.where(unknown, full_level(levels), 0).astype(levels.dtype)], axis=2)
