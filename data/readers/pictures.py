"""Helpers of readers of pictures: resizing, channels, memory."""

import math
import tempfile

import torch
from torch import Tensor

from data.readers.base import Heartbeat, no_heartbeat
from data.readers.files import Pixels, pillow_mode, resized

PICTURES_PER_CHUNK = 16
"""number of pictures that are converted to grey at a time"""
MEMORY_BUDGET = 1 << 30
"""size of a dataset in bytes above which its pictures are memory-mapped"""
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""weights of red, green and blue in grey"""


def resize_all(pictures: Pixels, side: int, channels: int, heartbeat: Heartbeat = no_heartbeat) -> Tensor:
    """Resize pictures uint8 [N, H, W] (grey) or [N, 3, H, W] (colour) to uint8 [N, channels, side, side].

    Calls `heartbeat` after each picture.
    """
    pillow_mode(channels)
    out = allocate((len(pictures), channels, side, side))
    grey = pictures.ndim == 3
    if pictures.shape[-2:] == (side, side) and (grey or channels == 3):
        return out.copy_(torch.from_numpy(pictures[:, None].copy() if grey else pictures.copy()))
    for index, picture in enumerate(pictures):
        out[index] = torch.from_numpy(resized(picture, side, channels).transpose(2, 0, 1).copy())
        heartbeat()
    return out


def to_channels(colour: Tensor, channels: int) -> Tensor:
    """Return colour pictures uint8 [N, 3, S, S] unchanged, or as grey [N, 1, S, S]."""
    if pillow_mode(channels) == "RGB":
        return colour
    shares, parts = torch.tensor(LUMA_WEIGHTS).view(1, 3, 1, 1), torch.split(colour, PICTURES_PER_CHUNK)
    return torch.cat([(part * shares).sum(dim=1, keepdim=True).round().to(torch.uint8) for part in parts])


def allocate(shape: tuple[int, ...]) -> Tensor:
    """Allocate a uint8 tensor in memory; above MEMORY_BUDGET bytes in a memory-mapped file that is already deleted."""
    size = math.prod(shape)
    if size <= MEMORY_BUDGET:
        return torch.empty(shape, dtype=torch.uint8)
    with tempfile.NamedTemporaryFile(prefix="forger-pictures-") as file:
        return torch.from_file(file.name, shared=True, size=size, dtype=torch.uint8).view(shape)
