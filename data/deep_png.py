"""Write PNG files of 16 bits a sample (PNG specification, third edition): Pillow writes grey ones only."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.levels import Pixels

Bytes = NDArray[np.uint8]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""colour type by the number of channels: grey, grey with alpha, colour, colour with alpha"""
_BAND_BYTES = 1 << 20
"""bytes of rows that are filtered at a time, about"""
_BITS = 16


def encode(pixels: Pixels) -> bytes:
    """Encode pixels [h, w, c], c = 1 to 4, as PNG. Equal pixels give equal bytes, with one version of zlib."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BITS, _COLOUR_TYPES[channels], 0, 0, 0)
    packer = zlib.compressobj()
    packed = [packer.compress(rows) for rows in _filtered_rows(pixels)]
    data = b"".join([*packed, packer.flush()])
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return b"".join(
        (struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))
    )


def _filtered_rows(pixels: Pixels) -> Iterator[bytes]:
    """Yield the filtered rows, band by band.

    Each row has the filter (none, sub, up or Paeth) whose differences have the smallest sum, as the specification
    recommends.
    """
    height, width, channels = pixels.shape
    step, pixel_bytes = max(1, _BAND_BYTES // (2 * width * channels)), 2 * channels
    above = np.zeros((1, 2 * width * channels), np.uint8)
    for start in range(0, height, step):
        rows = _big_endian(pixels[start : start + step])
        up = np.concatenate([above, rows[:-1]])
        left, up_left = _shifted(rows, pixel_bytes), _shifted(up, pixel_bytes)
        candidates = np.stack([rows, rows - left, rows - up, rows - _paeth(left, up, up_left)])
        sizes = np.abs(candidates.view(np.int8).astype(np.int16)).sum(axis=2)
        best = sizes.argmin(axis=0)
        kinds = np.array([0, 1, 2, 4], np.uint8)[best]
        yield np.concatenate([kinds[:, None], candidates[best, np.arange(len(rows))]], axis=1).tobytes()
        above = rows[-1:]


def _big_endian(pixels: Pixels) -> Bytes:
    """Return the bytes of rows [n, 2 w c], the upper byte of each sample first."""
    return np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(len(pixels), -1)


def _shifted(rows: Bytes, pixel_bytes: int) -> Bytes:
    """Return the byte of the pixel to the left of each byte; 0 at the edge."""
    shifted = np.zeros_like(rows)
    shifted[:, pixel_bytes:] = rows[:, :-pixel_bytes]
    return shifted


def _paeth(left: Bytes, up: Bytes, up_left: Bytes) -> Bytes:
    """Return the predictor of Paeth: the neighbour nearest to left + up - up_left."""
    a, b, c = (part.astype(np.int16) for part in (left, up, up_left))
    from_left, from_up, from_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest_left = (from_left <= from_up) & (from_left <= from_corner)
    return np.where(nearest_left, left, np.where(from_up <= from_corner, up, up_left))
