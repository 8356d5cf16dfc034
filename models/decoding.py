"""Picture files in: what is read, and how it becomes upright pixels of eight bits. Knows no torch.

A caller that reads bytes from strangers does so in a process with limits: app.core.sandbox.
"""

import io
import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
"""what is decoded (PPM is PGM and PBM too): each other decoder of Pillow is one more way in"""
SUFFIXES = frozenset((
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
))  # fmt: skip
FOREIGN = frozenset((
    ".gif", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".tga", ".ico", ".psd", ".svg", ".exr", ".hdr",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".eps", ".pcx",
))  # fmt: skip
"""pictures by their names that are not decoded"""
NO_LIMIT = 1 << 62
SCANS = 64
"""of one JPEG: each goes over all pixels once more, and a hundred bytes are enough for it; encoders make some ten"""
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_SCAN, _END = 0xDA, 0xD9
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
"""markers that no length follows"""
_BITS_PER_SAMPLE = 258
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Fault(StrEnum):
    """Why a file is no picture for us."""

    FORMAT = "unsupported_media"
    PIXELS = "too_many_pixels"
    SCANS = "too_many_scans"
    DAMAGED = "unreadable_picture"


class Unreadable(ValueError):
    """The message is a sentence."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True)
class Picture:
    """`image` is upright, of mode L, LA, RGB or RGBA, eight bits a sample; of several frames the first."""

    image: Image.Image
    format: str
    sixteen_bit: bool


def read_picture(data: bytes, max_pixels: int = NO_LIMIT) -> Picture:
    """Decodes a file whose header is within the limit. Raises Unreadable, or MemoryError, whatever the bytes are."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image, max_pixels)
            _check_scans(image, data)
            deep = _is_deep(image)
            image.load()
            return Picture(_eight_bits(_turned(image)), image.format or "", deep)
    except UnidentifiedImageError:
        raise Unreadable(Fault.FORMAT, f"It is no picture we read: send {', '.join(FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many("It", max_pixels) from None
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like; it is the bytes that are wrong
        raise Unreadable(Fault.DAMAGED, f"It cannot be decoded, it is damaged or cut short ({error}).") from error


def _check_header(image: Image.Image, max_pixels: int) -> None:
    """Before anything is decoded."""
    if image.width * image.height > max_pixels:
        raise _too_many(f"{image.width} x {image.height}", max_pixels)
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        raise Unreadable(Fault.DAMAGED, "It has 32 bits a sample: send 8 or 16.")


def _check_scans(image: Image.Image, data: bytes) -> None:
    if image.format in ("JPEG", "MPO") and (number := _scans(data)) > SCANS:
        sentence = f"It draws its pixels {number} times, more than {SCANS} (scans). Save it as a baseline JPEG."
        raise Unreadable(Fault.SCANS, sentence)


def _scans(data: bytes) -> int:
    """How many scans a JPEG has, as its decoder finds them: by the next marker, whatever lies before it."""
    place = number = 0
    while found := _MARKER.search(data, place):
        place, marker = found.end(), found[1][0]
        if marker == _END:
            break
        if marker not in _BARE:
            number += marker == _SCAN
            place += int.from_bytes(data[place : place + 2])
    return number


def _too_many(what: str, limit: int) -> Unreadable:
    return Unreadable(Fault.PIXELS, f"{what} is larger than {limit} pixels (max_pixels). Make it smaller.")


def _is_deep(image: Image.Image) -> bool:
    """Whether the file has sixteen bits a sample. Pillow itself takes the upper eight where there is colour."""
    if image.mode.startswith("I"):
        return True
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    raws = [tile[3] if isinstance(tile[3], tuple) else (tile[3],) for tile in getattr(image, "tile", ())]
    if image.format == "PPM":
        return any(isinstance(part, int) and part > 255 for raw in raws for part in raw)
    return 16 in bits or any(";16" in str(part) for raw in raws for part in raw)


def _turned(image: Image.Image) -> Image.Image:
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("L", "LA", "La", "1") else "RGBA")
    return image.convert("L" if image.mode in ("L", "1") else "RGB")
