"""Pictures in and out of bytes. Runs on threads of its own: never on the event loop, never on the engine's thread."""

import asyncio
import base64
import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray

from app.core.errors import FieldError, Invalid, TooLarge
from app.core.limiter import Gate
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from data.images import encode
from data.uploads import read_untrusted

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

WEBP_SIDE = 16383
JPEG_SIDE = 65500
SCATTER = 256
"""pixels of a side of a drawing of points, at scale 1"""
DECODING = 16
"""uploaded pictures that may be read, or wait for it"""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# Two at once: what is decoded and encoded at a time is bounded however many ask.
threads = ThreadPoolExecutor(2, thread_name_prefix="imaging")
_sandboxed = CapacityLimiter(2)  # threads that wait for the sandbox's child processes
_decoding = Gate(DECODING, f"{DECODING} pictures are being read already. Send this one later.", retry_after=5)


async def imaging(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, lambda: work(*args, **kwargs))


async def decode(
    sandbox: Sandbox, file: BinaryIO, channels: int, settings: Settings, *, masked: bool
) -> tuple[Array, list[str]]:
    """An uploaded picture to translate, uint8 [h, w, c], upright, c being `channels` or with alpha one more.

    `masked`: its alpha is a mask, and plays no part in its colours.

    Beside it sentences on what was done to its colours, and on what was passed over.

    Raises a ForgerError whatever the bytes are: they are read in a child process with limits; Busy where too many wait.
    """
    with _decoding.entered():
        return await to_thread.run_sync(_decoded, sandbox, file, channels, settings, masked, limiter=_sandboxed)


def _decoded(
    sandbox: Sandbox, file: BinaryIO, channels: int, settings: Settings, masked: bool
) -> tuple[Array, list[str]]:
    data = file.read(settings.max_upload_bytes + 1)
    if len(data) > settings.max_upload_bytes:
        sentence = f"The file is larger than {settings.max_upload_bytes} bytes (max_upload_bytes). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    pixels, notes = sandbox.run(read_untrusted.decode, data, channels, settings.max_pixels, masked)
    return pixels, notes


def enlarge(pictures: Array, scale: int) -> Array:
    """[n, h, w, c] by whole pixels."""
    return pictures.repeat(scale, axis=1).repeat(scale, axis=2) if scale > 1 else pictures


def png(picture: Array) -> bytes:
    return encode(picture)


def jpeg(picture: Array, quality: int) -> bytes:
    """White where it was transparent. Raises Invalid where a side is too long."""
    _within("JPEG", JPEG_SIDE, picture)
    colours = picture.shape[2] - 1 if picture.shape[2] in (2, 4) else picture.shape[2]
    if colours < picture.shape[2]:
        alpha = picture[..., colours:].astype(np.float32) / 255
        picture = np.rint(picture[..., :colours] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return encode(picture, "JPEG", quality=quality)


def webp(picture: Array, quality: int | None = None) -> bytes:
    """Without loss where no quality is given. Raises Invalid where a side is too long."""
    _within("WebP", WEBP_SIDE, picture)
    return encode(picture, "WEBP", lossless=True) if quality is None else encode(picture, "WEBP", quality=quality)


def _within(name: str, side: int, picture: Array) -> None:
    if max(picture.shape[:2]) > side:
        sentence = f"{name} pictures have at most {side} pixels a side; ask for fewer, smaller, or PNG."
        raise Invalid(sentence, code="too_many_pixels", errors=(FieldError("", sentence),))


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
