"""Helpers of readers that need no torch: places of files, and the size and the colours of one picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.readers.base import DatasetMissing

Pixels = NDArray[np.uint8]
PILLOW_MODES = {1: "L", 3: "RGB"}


def resized(picture: Pixels, side: int, channels: int) -> Pixels:
    """Resize a picture uint8 [H, W] (grey) or [3, H, W] (colour) to uint8 [side, side, channels].

    Raises DatasetMissing for other channels than 1 and 3.
    """
    image = Image.fromarray(picture if picture.ndim == 2 else picture.transpose(1, 2, 0)).convert(pillow_mode(channels))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)).reshape(side, side, channels)


def pillow_mode(channels: int) -> str:
    """Return Pillow's mode for 1 or 3 channels. Raises DatasetMissing for others."""
    if channels not in PILLOW_MODES:
        raise DatasetMissing(f"The built-in pictures have 1 or 3 channels, not {channels}; change data.channels.")
    return PILLOW_MODES[channels]


def dataset_folders(folder: str, *roots: Path | None) -> list[Path]:
    """Return the possible folders of a dataset, one per root."""
    return [root / folder for root in roots if root is not None]


def first_existing_file(folders: Sequence[Path], *names: str) -> Path | None:
    """Return the first of these files that exists, or None."""
    return next((path for folder in folders for name in names if (path := folder / name).is_file()), None)
