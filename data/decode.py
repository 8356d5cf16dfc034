"""Decode picture files to upright pixels of 8 bits, or of 16.

Callers decode untrusted bytes in a sandboxed process: app.core.sandbox.parent.
"""

import io
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from data import colours, containers
from data.containers import StrippedFile
from data.deep_image import AnyImage, DeepImage
from data.levels import DTYPES, Pixels

HAS_HEIC = find_spec("pillow_heif") is not None
"""whether pillow_heif is installed, which reads HEIC; Pillow itself does not"""
if HAS_HEIC:
    import_module("pillow_heif").register_heif_opener()
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "AVIF", *(("HEIF",) if HAS_HEIC else ()))
"""formats that are decoded (PPM includes PGM and PBM); Pillow's other decoders would add attack surface"""
SUFFIXES = frozenset((
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".gif", ".avif", *((".heic", ".heif") if HAS_HEIC else ()),
))  # fmt: skip
UNREAD_SUFFIXES = frozenset((
    ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".tga", ".ico", ".psd", ".svg", ".exr", ".hdr", ".dng", ".cr2", ".cr3",
    ".nef", ".arw", ".orf", ".rw2", ".raf", ".eps", ".pcx",
)) - SUFFIXES  # fmt: skip
"""suffixes of pictures that are not decoded"""
Samples = NDArray[np.uint16]
NO_LIMIT = 1 << 62
MAX_JPEG_SCANS = 64
"""most scans of a JPEG: each is a pass over all pixels that costs an attacker 100 bytes; encoders write about ten"""
MAX_BITS, MAX_16_BIT = 16, 65535
"""most bits of a sample, and its largest value"""
_OTHER_ORDER = "B" if sys.byteorder == "little" else "L"
_SUSPICIOUS_BITS = 14
"""if no 16-bit sample has more bits than this, the picture probably uses fewer than 16"""
_OTHER_BYTE = {
    "RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGB;16N": f"RGB;16{_OTHER_ORDER}",
    "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B", "RGBA;16N": f"RGBA;16{_OTHER_ORDER}",
    "RGBX;16B": "RGBX;16L", "RGBX;16L": "RGBX;16B", "RGBX;16N": f"RGBX;16{_OTHER_ORDER}",
    "CMYK;16B": "CMYK;16L", "CMYK;16L": "CMYK;16B", "CMYK;16N": f"CMYK;16{_OTHER_ORDER}",
    "LA;16B": "RGBA",
}  # fmt: skip
"""raw modes of the opposite byte order: with them Pillow reads the lower byte of each sample instead of the upper"""
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
"""markers without a length"""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
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
    """Why a file cannot be used as a picture: the error codes."""

    FORMAT = "unsupported_media"
    PIXELS = "too_many_pixels"
    SCANS = "too_many_scans"
    DAMAGED = "unreadable_picture"


class UnreadablePicture(ValueError):
    """The error of a file that cannot be decoded. The message is a sentence."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True)
class DecodingRules:
    """How files are decoded. A dataset keeps the rules of its upload, so that its pictures never change.

    Rules 1 take the upper 8 of 16 bits and the colours as stored, and let Pillow read metadata. Rules 2 strip metadata
    first and convert colours to sRGB. `depth` is then the number of significant bits of a 16-bit sample if the file
    does not state it; None: all 16. `bits` are those of the decoded samples.
    """

    rules: int = 2
    depth: int | None = None
    bits: Literal[8, 16] = 8


CURRENT_RULES = DecodingRules()


@dataclass(frozen=True)
class DecodedPicture:
    """A decoded picture: `image` is upright, of mode L, LA, RGB or RGBA, with the bits a sample that the rules say.

    Of a file with several frames it is the first. `reach` is the largest value of 16-bit samples if the file does not
    state how many bits are used, else None. `profile` names the ICC profile whose colours were converted to sRGB.
    `notes` are sentences on skipped parts.
    """

    image: AnyImage
    format: str
    sixteen_bit: bool
    reach: int | None = None
    profile: str | None = None
    notes: tuple[str, ...] = ()


def read_picture(data: bytes, max_pixels: int = NO_LIMIT, decoding: DecodingRules = CURRENT_RULES) -> DecodedPicture:
    """Decode a picture of at most `max_pixels`. Raises only UnreadablePicture or MemoryError, for any bytes."""
    try:
        return (
            _read_by_first_rules(data, max_pixels, decoding.bits)
            if decoding.rules == 1
            else _read(containers.strip_metadata(data), max_pixels, decoding)
        )
    except UnidentifiedImageError:
        raise UnreadablePicture(
            Fault.FORMAT, f"It is not a picture of a supported format: send {', '.join(FORMATS)}."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many("It", max_pixels) from None
    except (UnreadablePicture, MemoryError):
        raise
    except Exception as error:  # decoders raise any exception for damaged bytes
        raise UnreadablePicture(
            Fault.DAMAGED, f"It cannot be decoded, it is damaged or cut short ({error})."
        ) from error


def _read_by_first_rules(data: bytes, max_pixels: int, bits: int) -> DecodedPicture:
    """Decode by rules 1, for datasets that were uploaded under them."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_header(image, max_pixels)
        _check_scans(image, data)
        deep = _is_deep(image)
        image.load()
        eight_bits = _eight_bits(image)
        upright = _rotated(_of_bits(eight_bits, bits), image.getexif().get(_ORIENTATION, 1))
        return DecodedPicture(upright, image.format or "", deep)


def _read(file: StrippedFile, max_pixels: int, decoding: DecodingRules) -> DecodedPicture:
    with Image.open(io.BytesIO(file.data), formats=FORMATS) as image:
        _check_header(image, max_pixels)
        _check_scans(image, file.data)
        deep = _is_deep(image)
        bits, white_is_zero = _stated_bits(image)
        image.load()
        notes = [f"Skipped: {reason}." for reason in file.skipped]
        reach: int | None = None
        shown: AnyImage = image
        if deep:
            cmyk = "CMYK" if image.mode == "CMYK" else None
            kept = 8 if cmyk else decoding.bits
            samples, reach = _significant(file, image, bits or decoding.depth or MAX_BITS, kept, white_is_zero)
            shown = DeepImage(samples) if kept == MAX_BITS else _image(samples, cmyk)
        elif file.level is not None:
            shown = _with_transparent_level(image, file)
        if not isinstance(shown, DeepImage):
            shown = _simple_mode(shown)
            if image.format == "BMP" and shown.mode == "RGBA" and shown.getchannel("A").getextrema() == (0, 0):
                shown = shown.convert("RGB")
                notes.append("Taken as opaque: its alpha is 0 everywhere.")
        profile = file.profile or image.info.get("icc_profile")
        converted = colours.Converted(shown) if profile is None else colours.to_srgb(shown, profile)
        if converted.flaw is not None:
            notes.append(f"Skipped: {converted.flaw}.")
        orientation = image.getexif().get(_ORIENTATION, 1) if image.format in ("AVIF", "HEIF") else file.orientation
        colour = converted.image.convert("RGB") if converted.image.mode == "CMYK" else converted.image
        unstated_reach = reach if bits is None else None
        upright = _rotated(_of_bits(colour, decoding.bits), orientation)
        return DecodedPicture(upright, image.format or "", deep, unstated_reach, converted.profile, tuple(notes))


def _stated_bits(image: Image.Image) -> tuple[int | None, bool]:
    """Return the used bits of a deep sample that the file states, or None, and whether level 0 is white."""
    tags = getattr(image, "tag_v2", {})
    if image.format == "PPM":
        return MAX_BITS, False  # Pillow scales by the largest value that the file states
    bits = tags.get(_BITS_PER_SAMPLE, ())
    return bits[0] if bits and 8 < bits[0] < MAX_BITS else None, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _significant(
    file: StrippedFile, image: Image.Image, bits: int, kept: int, white_is_zero: bool
) -> tuple[Pixels, int]:
    """Return samples [h, w, c] of `kept` bits, 8 or 16, and the largest value of a colour sample in the file.

    `bits` are significant in the file.
    """
    samples, has_alpha = _samples(file, image, bits, exact=kept == MAX_BITS)
    colour = samples[..., : samples.shape[2] - has_alpha]
    full, reach = (1 << bits) - 1, int(colour.max(initial=0))
    clipped = np.minimum(colour, full)
    shown = _rescaled(full - clipped if white_is_zero else clipped, bits, kept)
    if has_alpha:
        alpha = samples[..., -1:]
        alpha_bits = bits if alpha.max(initial=0) <= full else MAX_BITS
        shown = np.concatenate([shown, _rescaled(alpha, alpha_bits, kept)], axis=2)
    elif file.level is not None:
        clear = (colour == np.array(file.level, colour.dtype)).all(axis=2, keepdims=True)
        shown = np.concatenate([shown, np.where(clear, 0, (1 << kept) - 1).astype(shown.dtype)], axis=2)
    return shown, reach


def _rescaled(samples: Samples, bits: int, kept: int) -> Pixels:
    """Return the upper 8 of the bits; or levels of 16 bits, in which the largest value of the bits becomes 65535."""
    if kept == 8:
        return (samples >> (bits - 8)).astype(np.uint8)
    full = (1 << bits) - 1
    return ((samples.astype(np.uint32) * np.uint32(MAX_16_BIT) + full // 2) // full).astype(DTYPES[kept])


def _samples(file: StrippedFile, image: Image.Image, bits: int, *, exact: bool) -> tuple[Samples, bool]:
    """Return 16-bit samples [h, w, c], and whether the last channel is alpha.

    Of colours Pillow returns the upper bytes; if the lower bytes matter, or if `exact`, the file is decoded a second
    time for them.
    """
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)[..., None], False
    upper = np.asarray(image).astype(np.uint16)
    has_alpha = image.mode.endswith("A")
    colour = upper[..., :3]
    suspicious = int(colour.max(initial=0)) < 1 << (_SUSPICIOUS_BITS - 8)
    exact = exact or bits < MAX_BITS or file.level is not None or suspicious
    lower = _lower_bytes(file.data) if exact else None
    return np.asarray((upper << 8) | (upper if lower is None else lower), np.uint16), has_alpha


def _lower_bytes(data: bytes) -> Samples | None:
    """Decode the lower bytes by the opposite byte order; None if Pillow has no such decoder."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        args = image.tile[0].args
        raw = args[0] if isinstance(args, tuple) else args
        other = _OTHER_BYTE.get(raw or "")
        if other is None:
            return None
        image.tile = [
            tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
            for tile in image.tile
        ]
        image.load()
        lower = np.asarray(image).astype(np.uint16)
    return lower[..., [1, 1, 1, 3]] if raw == "LA;16B" else lower


def _with_transparent_level(image: Image.Image, file: StrippedFile) -> Image.Image:
    """Make pixels of the file's transparent colour transparent. Pillow has scaled levels of fewer than 8 bits."""
    assert file.level is not None
    plain = image.convert("L" if len(file.level) == 1 else "RGB")
    pixels = np.asarray(plain).reshape(image.height, image.width, len(file.level))
    spread = 255 // ((1 << file.depth) - 1)
    clear = (pixels == np.array(file.level) * spread).all(axis=2)
    plain.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return plain


def _image(pixels: Pixels, mode: str | None = None) -> Image.Image:
    """Return pixels [h, w, c] as an image of mode L, LA, RGB or RGBA, or of the given mode."""
    if mode is not None:
        return Image.frombytes(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes())
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _simple_mode(image: Image.Image) -> Image.Image:
    """Convert an image to mode L, LA, RGB, RGBA or CMYK."""
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") and "transparency" not in image.info:
        return image
    return _eight_bits(image)


def _check_header(image: Image.Image, max_pixels: int) -> None:
    """Check size and depth before anything is decoded. Raises UnreadablePicture."""
    if image.width * image.height > max_pixels:
        raise _too_many(f"{image.width} x {image.height}", max_pixels)
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        raise UnreadablePicture(Fault.DAMAGED, "It has 32 bits a sample: send 8 or 16.")


def _check_scans(image: Image.Image, data: bytes) -> None:
    if image.format in ("JPEG", "MPO") and (number := _scans(data)) > MAX_JPEG_SCANS:
        sentence = f"It has {number} scans, more than {MAX_JPEG_SCANS}. Save it as a baseline JPEG."
        raise UnreadablePicture(Fault.SCANS, sentence)


def _scans(data: bytes) -> int:
    """Count a JPEG's scans as its decoder does: by the next marker, skipping other bytes."""
    offset = number = 0
    while match := _MARKER.search(data, offset):
        offset, marker = match.end(), match[1][0]
        if marker == _END:
            break
        if marker not in _WITHOUT_LENGTH:
            number += marker == _SCAN
            offset += int.from_bytes(data[offset : offset + 2])
    return number


def _too_many(picture: str, limit: int) -> UnreadablePicture:
    return UnreadablePicture(Fault.PIXELS, f"{picture} is larger than {limit} pixels (max_pixels). Make it smaller.")


def _is_deep(image: Image.Image) -> bool:
    """Return whether the file has 16 bits a sample. Of colours Pillow keeps the upper 8 bits only."""
    if image.mode.startswith("I"):
        return True
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    raws = [tile[3] if isinstance(tile[3], tuple) else (tile[3],) for tile in getattr(image, "tile", ())]
    if image.format == "PPM":
        return any(isinstance(part, int) and part > 255 for raw in raws for part in raw)
    return 16 in bits or any(";16" in str(part) for raw in raws for part in raw)


def _rotated(image: AnyImage, orientation: int) -> AnyImage:
    transposition = _UPRIGHT.get(orientation)
    return image if transposition is None else image.transpose(transposition)


def _of_bits(image: AnyImage, bits: int) -> AnyImage:
    return image if bits == 8 else DeepImage.of(image)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("L", "LA", "La", "1") else "RGBA")
    return image.convert("L" if image.mode in ("L", "1") else "RGB")
