"""Pictures of 16 bits a sample: drawn by numpy, and read from PNG without the code under test."""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.files import COLOUR, COLOUR_ALPHA, GREY, GREY_ALPHA, png
from tests.support.png_chunks import chunks

Array = NDArray[Any]
RAMP = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256, 1)
"""every level of 16 bits once"""
_COLOUR_TYPES = {1: GREY, 2: GREY_ALPHA, 3: COLOUR, 4: COLOUR_ALPHA}


def deep_noise(width: int, height: int, channels: int = 1, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 1 << 16, (height, width, channels), np.uint16)


def deep_png(pixels: Array) -> bytes:
    """Return a PNG of pixels uint16 [h, w, c]."""
    return png(pixels, 16, _COLOUR_TYPES[pixels.shape[2]])


def samples_of(data: bytes) -> Array:
    """Read a PNG of 8 or 16 bits a sample, without a palette and not interlaced: [h, w, c]."""
    parts = list(chunks(data))
    width, height, bits, colour = struct.unpack(">IIBB", parts[0][1][:10])
    channels = {kind: count for count, kind in _COLOUR_TYPES.items()}[colour]
    pixel_bytes = channels * bits // 8
    raw = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    lines, above = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * pixel_bytes), bytes(width * pixel_bytes)
    rows = []
    for line in lines.tolist():
        above = _unfiltered(line[0], line[1:], above, pixel_bytes)
        rows.append(above)
    return np.frombuffer(b"".join(rows), f">u{bits // 8}").reshape(height, width, channels).astype(f"u{bits // 8}")


def _unfiltered(kind: int, line: list[int], above: bytes, pixel_bytes: int) -> bytes:
    row: list[int] = []
    for at, value in enumerate(line):
        inside = at >= pixel_bytes
        left, up, corner = row[at - pixel_bytes] if inside else 0, above[at], above[at - pixel_bytes] if inside else 0
        prediction = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
        row.append((value + prediction) & 255)
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda neighbour: abs(guess - neighbour))
