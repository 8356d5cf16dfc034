"""Levels of samples: 0 to 255 in arrays of uint8, 0 to 65535 in arrays of uint16. The type of an array says which."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.unsignedinteger[Any]]
"""levels of a picture or of several, uint8 or uint16"""
DTYPES: dict[int, type[np.unsignedinteger[Any]]] = {8: np.uint8, 16: np.uint16}
"""type of an array by the bits of its samples"""
_REPLICATED = 257
"""factor from levels of 8 bits to levels of 16: 255 becomes 65535"""


def full_level(pixels: NDArray[Any]) -> int:
    """Return the largest level of an array: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def bits_of(pixels: NDArray[Any]) -> int:
    """Return the bits of a sample of an array: 8 or 16."""
    return 8 * pixels.dtype.itemsize


def levels(values: NDArray[Any], bits: int = 8) -> Pixels:
    """Convert float32 values in [-1, 1] of any shape to levels of 8 or 16 bits; values outside are clipped."""
    full = (1 << bits) - 1
    rounded: Pixels = np.clip(np.rint((values + 1) * (full / 2)), 0, full).astype(DTYPES[bits])
    return rounded


def to_bits(pixels: NDArray[Any], bits: int) -> Pixels:
    """Convert levels to those of 8 or 16 bits: 16 to 8 by rounding, 8 to 16 exactly, so that the way back is too."""
    if bits_of(pixels) == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * np.uint16(_REPLICATED)
    return ((pixels.astype(np.uint32) + _REPLICATED // 2) // _REPLICATED).astype(np.uint8)
