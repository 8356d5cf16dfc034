"""Picture files that decoders must refuse or bound, built byte by byte."""

import struct
import zlib

from tests.support.files import PNG, chunk


def png_of(header: bytes, compressed: bytes, *before: bytes) -> bytes:
    """Return a PNG of this IHDR and this IDAT, with whole chunks between the two."""
    return PNG + chunk(b"IHDR", header) + b"".join(before) + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def rgb_header(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def png_declaring(width: int, height: int) -> bytes:
    """Return a small PNG whose header declares this size: a decompression bomb."""
    return png_of(rgb_header(width, height), zlib.compress(bytes(1_000_000), 9))


def png_with_inflating_chunk(kind: bytes, prefix: bytes) -> bytes:
    """Return a valid picture with a chunk of 500 KB that inflates to 500 MB."""
    packer = zlib.compressobj(9)
    zeros = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(500)), packer.flush()])
    return png_of(rgb_header(64, 64), zlib.compress(bytes(64 * (1 + 64 * 3))), chunk(kind, prefix + zeros))


def tiff_directory(width: int, height: int, **entries: int) -> bytes:
    """Return a TIFF of hardly more than its directory; `_259=5` sets tag 259 to 5."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 278: height, 279: 1 << 31}
    tags |= {int(tag[1:]): value for tag, value in entries.items()}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)
