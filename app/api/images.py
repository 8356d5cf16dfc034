"""Pictures in and out of bytes. Runs on threads of its own: never on the event loop, never on the engine's thread."""

import asyncio
import base64
import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from app.core.errors import FieldError, Invalid, TooLarge, UnsupportedMedia
from models.picture import encode

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
"""what is decoded: each other decoder of Pillow is one more way in"""
WEBP_SIDE = 16383
SCATTER = 256
"""pixels of a side of a drawing of points, at scale 1"""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# Two at once: what is decoded at a time is bounded however many ask.
_threads = ThreadPoolExecutor(2, thread_name_prefix="imaging")


async def imaging(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(*args, **kwargs))


def decode(file: BinaryIO, channels: int, max_bytes: int, max_pixels: int) -> Array:
    """An uploaded picture as uint8 [h, w, channels], upright. Raises a ForgerError whatever the bytes are."""
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(f"The file is larger than {max_bytes} bytes (max_upload_bytes). Send a smaller one.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, max_pixels)
            return _pixels(image, channels)
    except UnidentifiedImageError:
        raise UnsupportedMedia(f"The file is no picture we read: send {', '.join(FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(max_pixels) from None
    except (Invalid, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like; it is the bytes that are wrong
        raise _unreadable(f"The picture cannot be decoded, it is damaged or cut short ({error}).") from error


def _check_size(image: Image.Image, max_pixels: int) -> None:
    """By its header, before anything is decoded."""
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(max_pixels, f"{image.width} x {image.height}")
    if image.mode in ("I", "F"):
        raise _unreadable("The picture has 32 bits a sample; send 8 or 16.")


def _pixels(image: Image.Image, channels: int) -> Array:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    if channels in (1, 3) and upright.has_transparency_data:
        colour = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return np.asarray(upright.convert(_MODES[channels])).reshape(upright.height, upright.width, channels)


def _too_many_pixels(limit: int, size: str = "The picture") -> Invalid:
    return _unreadable(f"{size} is larger than {limit} pixels (max_pixels). Make it smaller.", "too_many_pixels")


def _unreadable(sentence: str, code: str = "unreadable_picture") -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError("/file", sentence),))


def enlarge(pictures: Array, scale: int) -> Array:
    """[n, h, w, c] by whole pixels."""
    return pictures.repeat(scale, axis=1).repeat(scale, axis=2) if scale > 1 else pictures


def png(picture: Array) -> bytes:
    return encode(picture)


def webp(picture: Array) -> bytes:
    """Without loss."""
    if max(picture.shape[:2]) > WEBP_SIDE:
        sentence = f"WebP pictures have at most {WEBP_SIDE} pixels a side; ask for fewer, smaller, or PNG."
        raise Invalid(sentence, code="too_many_pixels", errors=(FieldError("/n", sentence),))
    return encode(picture, "WEBP", lossless=True)


def base64_png(pictures: Array) -> list[str]:
    return [base64.b64encode(png(picture)).decode() for picture in pictures]


def npy(array: Array) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """Equal files give equal bytes: every entry has the same date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data)
    return out.getvalue()
