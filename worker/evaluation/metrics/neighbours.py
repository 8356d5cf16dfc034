"""Metrics of nearest neighbours: precision, recall, density, coverage, and copies of training examples.

Examples are rows [n, d]: features, or flattened pictures. Distances are Euclidean and computed in blocks, which bounds
the memory.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

MAX_DISTANCES = 1 << 25
"""distances in memory at a time"""
MAX_DOUBLE_WIDTH = 512
"""numbers per example up to which distances use double precision"""
ROUNDING = 1e-5
"""distances below this share of the examples' length are rounding errors"""
SPACING_EXAMPLES = 2_000
"""training examples whose distance to their neighbours is measured"""


def precision(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Return the share of fakes inside the data, in [0, 1]; 1 is best.

    A fake is inside if it is nearer to a real example than the k-th real neighbour of that (Kynkaanniemi et al. 2019).
    """
    real, fake = _rows(real), _rows(fake)
    return _share(_in_balls(fake, real, _radii(real, k))[0] > 0)


def recall(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Return the share of real examples inside the fakes, in [0, 1]; 1 is best (Kynkaanniemi et al. 2019)."""
    return precision(fake, real, k)


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020).

    A ball around a real example reaches to its k-th neighbour. Density is the mean number of balls that hold a fake,
    over k, and may exceed 1; coverage is the share of balls that hold any fake, in [0, 1].
    """
    real, fake = _rows(real), _rows(fake)
    balls, covered = _in_balls(fake, real, _radii(real, k))
    return float(balls.double().mean()) / k, _share(covered)


def variety(real: Tensor, fake: Tensor) -> float:
    """Return the median distance of fakes to their nearest fake, over that of as many real examples; both [n, ...].

    About 1 if fakes repeat themselves no more than the data; near 0 if the same few are drawn again and again, over
    however many modes: an automatic birthday test (Arora and Zhang 2018). nan if most real examples are equal.
    """
    of_fake, of_real = (_radii(_rows(x), 1).median() for x in (fake, real))
    return float(of_fake / of_real) if float(of_real) > ROUNDING * _length(real) else math.nan


def copies(train: Tensor, fake: Tensor, near: float = 0.4, spacing: float | None = None) -> float:
    """Return the share of fakes that are near copies of a training example, in [0, 1]; 0 is best.

    A near copy is nearer to a training example than `near` times `spacing`, by default their `typical_spacing`. nan if
    most training examples are equal.
    """
    spacing = typical_spacing(train) if spacing is None else spacing
    if spacing <= ROUNDING * _length(train):
        return math.nan
    return _share(_nearest(_rows(fake), _rows(train), 1)[0] < near * spacing)


def typical_spacing(train: Tensor) -> float:
    """Return the median distance of training examples to their nearest neighbour, for some of them."""
    train = _rows(train)
    rows = torch.arange(0, len(train), max(1, len(train) // SPACING_EXAMPLES))
    return float(_nearest(train[rows], train, 1, excluded=rows)[0].median())


def nearest(train: Tensor, fake: Tensor) -> Tensor:
    """Return for each fake the number [n] of the nearest training example."""
    return _nearest(_rows(fake), _rows(train), 1)[1][:, 0]


def blocks(x: Tensor, width: int) -> Iterator[Tensor]:
    """Split the rows of x into blocks of at most MAX_DISTANCES distances to `width` others."""
    return iter(torch.split(x, max(1, MAX_DISTANCES // width)))


def _radii(x: Tensor, k: int) -> Tensor:
    """Return the distance [n] of each example to its k-th neighbour among the others."""
    if len(x) <= k:
        raise ValueError(f"{k} neighbours need more than {k} examples, and there are {len(x)}.")
    return _nearest(x, x, k, excluded=torch.arange(len(x)))[0][:, -1]


def _nearest(x: Tensor, among: Tensor, k: int, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return distances and numbers [n, k] of the nearest, nearest first; `excluded` [n] leaves out one for each row."""
    results, start = [], 0
    for part in blocks(x, len(among)):
        distances = torch.cdist(part, among)
        if excluded is not None:
            distances[torch.arange(len(part)), excluded[start : start + len(part)]] = torch.inf
        results.append(distances.topk(k, largest=False))
        start += len(part)
    return torch.cat([values for values, _ in results]), torch.cat([numbers for _, numbers in results])


def _in_balls(x: Tensor, centres: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Return in how many balls each x lies [n], and whether each ball holds any [m]."""
    inside = [torch.cdist(part, centres) <= radii for part in blocks(x, len(centres))]
    return torch.cat([part.sum(dim=1) for part in inside]), torch.stack([part.any(dim=0) for part in inside]).any(dim=0)


def _length(x: Tensor) -> float:
    return float(_rows(x).double().norm(dim=1).mean())


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())


def _rows(x: Tensor) -> Tensor:
    x = x.flatten(1)
    return x.double() if x.shape[1] <= MAX_DOUBLE_WIDTH else x.float()
