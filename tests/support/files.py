"""Picture files written byte by byte, with features that Pillow cannot write."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

PNG = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6
"""colour types of PNG"""
CHANNELS = {GREY: 1, COLOUR: 3, GREY_ALPHA: 2, COLOUR_ALPHA: 4}


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if crc is None else crc)
    )


def png(samples: NDArray[Any], depth: int, colour: int, *extra: bytes) -> bytes:
    """Return a PNG of samples [h, w, c] at 1 to 16 bits each; `extra` are whole chunks before the pixels."""
    height, width, _ = samples.shape
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    rows = b"".join(b"\0" + packed(row.reshape(-1), depth) for row in samples)
    return b"".join((PNG, head, *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")))


def packed(values: NDArray[Any], depth: int) -> bytes:
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = "".join(format(int(value), f"0{depth}b") for value in values)
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def tiff(samples: NDArray[Any], *, order: str = "<", bits: int = 16, white_is_zero: bool = False) -> bytes:
    """Return an uncompressed TIFF of one strip: samples [h, w, c] of c = 1, 3 or 4, of 12 or 16 bits."""
    height, width, channels = samples.shape
    data = pack_12_bits(samples) if bits == 12 else samples.astype(f"{order}u2").tobytes()
    photometric = 2 if channels > 1 else 0 if white_is_zero else 1
    tags: list[tuple[int, int, Sequence[int]]] = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, [8]), (277, 3, [channels]), (278, 4, [height]), (279, 4, [len(data)]),
        *([(338, 3, [2])] if channels == 4 else []),
    ]  # fmt: skip
    data += bytes(len(data) % 2)
    directory_at, overflow, entries = 8 + len(data), b"", b""
    overflow_at = directory_at + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        body = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(body) > 4:
            body, overflow = struct.pack(f"{order}I", overflow_at + len(overflow)), overflow + body
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", directory_at)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + overflow


def pack_12_bits(samples: NDArray[Any]) -> bytes:
    """Return rows of 12 bits a sample, each row padded to whole bytes."""
    return b"".join(packed(row.reshape(-1), 12) for row in samples)


def bmp(pixels: NDArray[np.uint8]) -> bytes:
    """Return [h, w, 4] as a BMP with a header of version 4, which has a mask for alpha."""
    height, width, _ = pixels.shape
    data = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(data), 2835, 2835, 0, 0) + masks
    info = info.ljust(108, b"\0")
    return struct.pack("<2sIHHI", b"BM", 14 + len(info) + len(data), 0, 0, 14 + len(info)) + info + data


def profile(*primaries: tuple[float, float], gamma: float = 2.2, name: str = "Test RGB") -> bytes:
    """Return an ICC profile (version 2) of a display with these xy primaries of red, green and blue, adapted to D50."""
    white = np.array([0.9642, 1.0, 0.8249])
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    d65 = np.array([0.9505, 1.0, 1.089])
    columns = xyz * np.linalg.solve(xyz, d65)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = np.diag((bradford @ white) / (bradford @ d65))
    adapted = np.linalg.inv(bradford) @ scale @ bradford @ columns

    def fixed(values: Any) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = name.encode() + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
    parts = {
        b"desc": description, b"cprt": b"text\0\0\0\0none\0", b"wtpt": fixed(white), b"rXYZ": fixed(adapted[:, 0]),
        b"gXYZ": fixed(adapted[:, 1]), b"bXYZ": fixed(adapted[:, 2]), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    table, body, body_at = b"", b"", 128 + 4 + 12 * len(parts)
    for tag, content in parts.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", body_at + len(body), len(content))
        body += content
    head = bytearray(128)
    head[:4] = struct.pack(">I", body_at + len(body))
    head[8:12], head[12:24], head[36:40] = b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp"
    head[68:80] = b"".join(struct.pack(">i", round(float(value) * 65536)) for value in white)
    return bytes(head) + struct.pack(">I", len(parts)) + table + body


ADOBE_RGB = profile((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), gamma=2.19921875, name="Adobe-like RGB")
P3 = profile((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), name="P3-like RGB")
SWAPPED = profile((0.30, 0.60), (0.64, 0.33), (0.15, 0.06), name="Red and green swapped")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def converted(pixels: NDArray[np.uint8], icc: bytes) -> NDArray[np.uint8]:
    """Return [h, w, 3] converted from the profile to sRGB by Pillow alone."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    image = Image.fromarray(pixels)
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return np.asarray(
        ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), intent, outputMode="RGB")
    )
