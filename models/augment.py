"""Alterations of pictures before a critic sees them, with slopes that pass through (Zhao et al. 2020, DiffAugment).

Each draws its numbers for the whole batch, of all ranks, from one generator on the CPU, whether or not they are used.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from models import distributed
from models.rng import Stream, drawn
from models.spec.games import Transform

SHIFT = 1 / 8
"""of the side: how far a picture is moved at most; what comes in is grey"""
HOLE = 1 / 2
"""of the side: the cut-out square"""


def augment(x: Tensor, transforms: tuple[Transform, ...], probability: Tensor | None, rng: Stream) -> Tensor:
    """Pictures [n, c, h, w] in [-1, 1]; each alteration with `probability` [] per picture, None: always."""
    for name in transforms:
        altered = _TRANSFORMS[name](x, rng)
        if probability is not None:
            altered = torch.where(_uniform(rng, len(x), x.device) < probability, altered, x)
        x = altered
    return x


def _colour(x: Tensor, rng: Stream) -> Tensor:
    """Brightness by up to .5, saturation times 0 to 2, contrast times .5 to 1.5."""
    n = distributed.count() * len(x)
    factors = drawn(rng, lambda own: distributed.part(torch.rand(3, n, 1, 1, 1, generator=own), 1), x.device)
    brightness, saturation, contrast = factors.to(x)
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (saturation * 2) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    altered: Tensor = level + (x - level) * (contrast + 0.5)
    return altered


def _translation(x: Tensor, rng: Stream) -> Tensor:
    n, _, height, width = x.shape
    reach = max(1, round(SHIFT * height))
    down, right = _places(rng, 0, 2 * reach + 1, n, x.device)
    rows = (torch.arange(height, device=x.device) + down)[:, None, :, None]
    columns = (torch.arange(width, device=x.device) + right)[:, None, None, :]
    framed = F.pad(x, (reach, reach, reach, reach))
    taken: Tensor = framed.gather(2, rows.expand(n, x.shape[1], height, framed.shape[3]))
    return taken.gather(3, columns.expand(n, x.shape[1], height, width))


def _cutout(x: Tensor, rng: Stream) -> Tensor:
    n, _, height, width = x.shape
    size = max(1, round(HOLE * height))
    top, left = _places(rng, 1 - size // 2, height + 1 - size // 2, n, x.device)
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    inside_rows = (rows >= top) & (rows < top + size)
    inside_columns = (columns >= left) & (columns < left + size)
    hole = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return x.masked_fill(hole, 0.0)


def _uniform(rng: Stream, n: int, device: torch.device) -> Tensor:
    """[n, 1, 1, 1] in [0, 1)"""
    return drawn(rng, lambda own: distributed.part(torch.rand(distributed.count() * n, 1, 1, 1, generator=own)), device)


def _places(rng: Stream, start: int, end: int, n: int, device: torch.device) -> Tensor:
    """Down and across, in start .. end - 1: [2, n, 1]"""
    size = 2, distributed.count() * n, 1
    return drawn(rng, lambda own: distributed.part(torch.randint(start, end, size, generator=own), 1), device)


_TRANSFORMS: dict[Transform, Callable[[Tensor, Stream], Tensor]] = {
    "colour": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
