"""Pictures and zips of them, made in the test."""

import io
import zipfile
from typing import Any

import numpy as np
from PIL import Image


def noise(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def saved(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def picture(seed: int = 0, width: int = 24, height: int = 20, mode: str = "RGB") -> bytes:
    return saved(noise(width, height, seed, mode))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Folders are members too, as most tools write them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for folder in sorted({name.rpartition("/")[0] for name in members} - {""}):
            archive.writestr(zipfile.ZipInfo(f"{folder}/"), b"")
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def classes(*names: str, each: int = 3, **options: Any) -> dict[str, bytes]:
    """`each` different pictures in a folder for every name."""
    pairs = [(name, number) for name in names for number in range(each)]
    return {f"{name}/{number}.png": picture(seed, **options) for seed, (name, number) in enumerate(pairs)}
