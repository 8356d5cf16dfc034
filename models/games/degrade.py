"""Compute a translator's input from its target: the edges, a smaller picture, or a picture with a hole."""

from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from models.spec.games import Mask

FULL_EDGE = 0.5
"""gradient of the brightness in [-1, 1], per pixel, from which an edge is black"""


def edges(x: Tensor) -> Tensor:
    """Render the edges of pictures [n, c, h, w] in [-1, 1] as dark lines on white, in the same shape.

    The darkness is the Sobel gradient of the brightness: faint edges become faint lines.
    """
    grey = x.mean(dim=1, keepdim=True)
    # Computed on the device: copying a constant to a GPU would make the CPU wait.
    offset = torch.arange(-1.0, 2.0, device=x.device)
    horizontal = torch.outer(2 - offset.abs(), offset) / 8
    kernel = torch.stack([horizontal, horizontal.T])[:, None]
    gradient = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernel.to(x.dtype))
    strength = (gradient.square().sum(dim=1, keepdim=True).sqrt() / FULL_EDGE).clamp(max=1)
    return (1 - 2 * strength).expand_as(x)


def downscale(x: Tensor, factor: int) -> Tensor:
    """Reduce pictures [n, c, h, w] in [-1, 1] to [n, c, h / factor, w / factor] with Pillow's bicubic filter."""
    reduced = F.interpolate(x, scale_factor=1 / factor, mode="bicubic", antialias=True)
    return reduced.clamp(-1, 1)


def hole_mask(mask: Mask, n: int, height: int, width: int, rng: torch.Generator) -> Tensor:
    """Return masks [n, 1, height, width]: 1 in the hole, 0 elsewhere.

    random: a box at a random position, whose edges are a quarter to a half of the picture's; centre: the middle half of
    each edge; left: the left half.
    """
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None, :]
    match mask:
        case "centre":
            inside = _in_span(rows, height // 4, height // 2) & _in_span(columns, width // 4, width // 2)
        case "left":
            inside = _in_span(columns, 0, width // 2) & (rows >= 0)
        case "random":
            boxes = [(_random_span(height, rng), _random_span(width, rng)) for _ in range(n)]
            inside = torch.stack([_in_span(rows, *high) & _in_span(columns, *wide) for high, wide in boxes])
        case _:
            assert_never(mask)
    return inside.float().expand(n, height, width)[:, None].contiguous()


def cut_hole(x: Tensor, hole: Tensor) -> Tensor:
    """Make the hole [n, 1, h, w] grey in pictures [n, c, h, w] and append it as a channel: [n, c + 1, h, w]."""
    return torch.cat([x * (1 - hole), hole], dim=1)


def fill_hole(x: Tensor, filling: Tensor, hole: Tensor) -> Tensor:
    """Return x [n, c, h, w] with the pixels inside the hole [n, 1, h, w] taken from `filling`."""
    return torch.where(hole > 0, filling.to(x.dtype), x)


def _in_span(positions: Tensor, start: int, length: int) -> Tensor:
    return (positions >= start) & (positions < start + length)


def _random_span(side: int, rng: torch.Generator) -> tuple[int, int]:
    """Draw a random start and length of a span within `side`."""
    length = int(torch.randint(max(1, side // 4), max(2, side // 2 + 1), (), generator=rng))
    return int(torch.randint(side - length + 1, (), generator=rng)), length
