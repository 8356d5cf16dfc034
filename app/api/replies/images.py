"""Decode and encode pictures. Encoding blocks: call it by `on_imaging_thread`, never on the event loop."""

import asyncio
import base64
import io
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal, ParamSpec, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray

from app.core.concurrency import Limiter
from app.core.errors import FieldError, ForgerError, Invalid, TooLarge
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from data.decode import DecodingRules
from data.images import encode
from data.levels import to_bits
from data.png_text import with_text
from data.uploads import read_untrusted
from forger.wire import PNG_KEYWORD

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

MAX_WEBP_SIDE = 16383
MAX_JPEG_SIDE = 65500
SCATTER_SIDE = 256
"""pixels of a side of a scatter plot, at scale 1"""
MAX_DECODING = 16
"""uploaded pictures that are read, or wait for it, at the same time"""
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# Two threads: they bound the work at a time, however many requests there are.
imaging_threads = ThreadPoolExecutor(2, thread_name_prefix="imaging")
# Limits the threads that wait for the sandbox's child processes.
_sandboxed = CapacityLimiter(2)
_decoding = Limiter(
    MAX_DECODING, f"{MAX_DECODING} pictures are being read already. Send this one later.", retry_after=5
)


async def on_imaging_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(imaging_threads, lambda: work(*args, **kwargs))


async def decode_upload(
    sandbox: Sandbox, file: BinaryIO, channels: int, settings: Settings, *, masked: bool, bits: Literal[8, 16] = 8
) -> tuple[Array, list[str]]:
    """Return an uploaded picture, levels of `bits` [h, w, c], upright, and notes on changed colours and ignored parts.

    c is `channels`, or one more if the picture has alpha. `masked`: alpha is a mask and does not affect the colours.

    A child process with limits reads the bytes. Raises Busy if too many pictures wait, and another
    ForgerError for bytes that are no valid picture.
    """
    with _decoding.place():
        return await to_thread.run_sync(_decoded, sandbox, file, channels, settings, masked, bits, limiter=_sandboxed)


def _decoded(
    sandbox: Sandbox, file: BinaryIO, channels: int, settings: Settings, masked: bool, bits: Literal[8, 16]
) -> tuple[Array, list[str]]:
    data = file.read(settings.max_upload_bytes + 1)
    if len(data) > settings.max_upload_bytes:
        sentence = f"The file is larger than {settings.max_upload_bytes} bytes (max_upload_bytes). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    decoding = DecodingRules(bits=bits)
    pixels, notes = sandbox.run(read_untrusted.decode, data, channels, settings.max_pixels, masked, decoding)
    return pixels, notes


@contextmanager
def pointing_at(pointer: str) -> Iterator[None]:
    """Let the refusals of a picture that is read inside the block point at its part of the form."""
    try:
        yield
    except ForgerError as error:
        error.errors = tuple(FieldError(pointer, refused.message) for refused in error.errors)
        raise


def enlarge(pictures: Array, scale: int) -> Array:
    """Return pictures [n, h, w, c], enlarged by whole pixels."""
    return pictures.repeat(scale, axis=1).repeat(scale, axis=2) if scale > 1 else pictures


def png(picture: Array, text: str | None = None) -> bytes:
    """Encode as PNG, which carries `text`, ASCII, under the keyword of Forger."""
    data = encode(picture)
    return data if text is None else with_text(data, PNG_KEYWORD, text)


def jpeg(picture: Array, quality: int) -> bytes:
    """Encode as JPEG, with transparent parts over white. Raises Invalid if a side is too long."""
    _require_side("JPEG", MAX_JPEG_SIDE, picture)
    colours = picture.shape[2] - 1 if picture.shape[2] in (2, 4) else picture.shape[2]
    if colours < picture.shape[2]:
        picture = to_bits(picture, 8)
        alpha = picture[..., colours:].astype(np.float32) / 255
        picture = np.rint(picture[..., :colours] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return encode(picture, "JPEG", quality=quality)


def webp(picture: Array, quality: int | None = None) -> bytes:
    """Encode as WebP, lossless unless `quality` is set. Raises Invalid if a side is too long."""
    _require_side("WebP", MAX_WEBP_SIDE, picture)
    return encode(picture, "WEBP", lossless=True) if quality is None else encode(picture, "WEBP", quality=quality)


def _require_side(name: str, side: int, picture: Array) -> None:
    if max(picture.shape[:2]) > side:
        sentence = f"{name} pictures have at most {side} pixels a side; request fewer, smaller ones, or PNG."
        raise Invalid(sentence, code="too_many_pixels", errors=(FieldError("", sentence),))


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def npy(array: Array) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def zip_files(files: dict[str, bytes]) -> bytes:
    """Return a zip of the files. Equal files give equal bytes: every entry has the same date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data)
    return out.getvalue()
