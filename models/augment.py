"""Differentiable augmentations of the pictures that a critic judges (DiffAugment, Zhao et al. 2020).

Each draws its random numbers on the CPU for the whole batch of all ranks, also for pictures that stay unchanged.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from models import distributed
from models.rng import Stream, draw_on
from models.spec.games import Transform

MAX_SHIFT = 1 / 8
"""largest shift of a picture, as a share of its side; pixels from outside are grey"""
CUTOUT_SIDE = 1 / 2
"""side of the cut-out square, as a share of the picture's side"""


def augment(x: Tensor, transforms: tuple[Transform, ...], probability: Tensor | None, rng: Stream) -> Tensor:
    """Augment pictures [n, c, h, w] in [-1, 1], each transform with `probability` [] per picture; None: always."""
    for name in transforms:
        altered = _TRANSFORMS[name](x, rng)
        if probability is not None:
            altered = torch.where(_uniform(rng, len(x), x.device) < probability, altered, x)
        x = altered
    return x


def _colour(x: Tensor, rng: Stream) -> Tensor:
    """Change brightness by up to .5, saturation by a factor of 0 to 2, contrast by a factor of .5 to 1.5."""
    n = distributed.world_size() * len(x)
    factors = draw_on(rng, lambda g: distributed.rank_part(torch.rand(3, n, 1, 1, 1, generator=g), 1), x.device)
    brightness, saturation, contrast = factors.to(x)
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (saturation * 2) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    altered: Tensor = level + (x - level) * (contrast + 0.5)
    return altered


def _translation(x: Tensor, rng: Stream) -> Tensor:
    n, _, height, width = x.shape
    reach = max(1, round(MAX_SHIFT * height))
    down, right = _random_offsets(rng, 0, 2 * reach + 1, n, x.device)
    rows = (torch.arange(height, device=x.device) + down)[:, None, :, None]
    columns = (torch.arange(width, device=x.device) + right)[:, None, None, :]
    framed = F.pad(x, (reach, reach, reach, reach))
    shifted: Tensor = framed.gather(2, rows.expand(n, x.shape[1], height, framed.shape[3]))
    return shifted.gather(3, columns.expand(n, x.shape[1], height, width))


def _cutout(x: Tensor, rng: Stream) -> Tensor:
    n, _, height, width = x.shape
    size = max(1, round(CUTOUT_SIDE * height))
    top, left = _random_offsets(rng, 1 - size // 2, height + 1 - size // 2, n, x.device)
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    inside_rows = (rows >= top) & (rows < top + size)
    inside_columns = (columns >= left) & (columns < left + size)
    hole = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return x.masked_fill(hole, 0.0)


def _uniform(rng: Stream, n: int, device: torch.device) -> Tensor:
    """Draw uniform numbers [n, 1, 1, 1] in [0, 1)."""
    return draw_on(
        rng, lambda g: distributed.rank_part(torch.rand(distributed.world_size() * n, 1, 1, 1, generator=g)), device
    )


def _random_offsets(rng: Stream, start: int, end: int, n: int, device: torch.device) -> Tensor:
    """Draw vertical and horizontal offsets [2, n, 1] in start .. end - 1."""
    size = 2, distributed.world_size() * n, 1
    return draw_on(rng, lambda g: distributed.rank_part(torch.randint(start, end, size, generator=g), 1), device)


_TRANSFORMS: dict[Transform, Callable[[Tensor, Stream], Tensor]] = {
    "colour": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
