"""Make a translator's input from the picture that it should return: edges, fewer pixels, a hole. Pure functions."""

from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from models.spec.games import Mask

EDGE = 0.5
"""change of brightness over a pixel, in [-1, 1], that is drawn as fully black"""


def edges(x: Tensor) -> Tensor:
    """Pictures [n, c, h, w] in [-1, 1] -> drawings of the same shape: dark where brightness changes, on white.

    The gradient is Sobel's; faint edges stay faint lines.
    """
    grey = x.mean(dim=1, keepdim=True)
    across = torch.arange(-1.0, 2.0, device=x.device)  # made there: a tensor of numbers would be waited for
    slope = torch.outer(2 - across.abs(), across) / 8
    kernel = torch.stack([slope, slope.T])[:, None]
    gradient = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernel.to(x.dtype))
    strength = (gradient.square().sum(dim=1, keepdim=True).sqrt() / EDGE).clamp(max=1)
    return (1 - 2 * strength).expand_as(x)


def smaller(x: Tensor, factor: int) -> Tensor:
    """[n, c, h, w] in [-1, 1] -> [n, c, h / factor, w / factor], by the bicubic filter with which Pillow reduces."""
    reduced = F.interpolate(x, scale_factor=1 / factor, mode="bicubic", antialias=True)
    return reduced.clamp(-1, 1)


def hole(mask: Mask, n: int, height: int, width: int, rng: torch.Generator) -> Tensor:
    """[n, 1, height, width], 1 in the hole and 0 elsewhere.

    random: a box of a quarter to a half of each side, anywhere; centre: the middle half of each side; left: all that
    is left of the middle.
    """
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None, :]
    match mask:
        case "centre":
            inside = _within(rows, height // 4, height // 2) & _within(columns, width // 4, width // 2)
        case "left":
            inside = _within(columns, 0, width // 2) & (rows >= 0)
        case "random":
            boxes = [(_span(height, rng), _span(width, rng)) for _ in range(n)]
            inside = torch.stack([_within(rows, *high) & _within(columns, *wide) for high, wide in boxes])
        case _:
            assert_never(mask)
    return inside.float().expand(n, height, width)[:, None].contiguous()


def holed(x: Tensor, hole: Tensor) -> Tensor:
    """Pictures [n, c, h, w] with the hole [n, 1, h, w] grey, and the hole beside them: [n, c + 1, h, w]."""
    return torch.cat([x * (1 - hole), hole], dim=1)


def filled(x: Tensor, made: Tensor, hole: Tensor) -> Tensor:
    """[n, c, h, w]: x where it was known, `made` in the hole."""
    return torch.where(hole > 0, made.to(x.dtype), x)


def _within(places: Tensor, start: int, length: int) -> Tensor:
    return (places >= start) & (places < start + length)


def _span(side: int, rng: torch.Generator) -> tuple[int, int]:
    """Start and length of a random stretch within `side`."""
    length = int(torch.randint(max(1, side // 4), max(2, side // 2 + 1), (), generator=rng))
    return int(torch.randint(side - length + 1, (), generator=rng)), length
