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
"""distances below this share of the examples' length count as rounding errors"""
NEAR = 0.4
"""share of the typical spacing of training examples below which an example is a near copy of another one"""
SPACING_EXAMPLES = 2_000
"""number of training examples whose distance to their nearest neighbour is measured"""


def precision(real: Tensor, generated: Tensor, k: int = 3) -> float:
    """Return the share of generated examples inside the data, in [0, 1]; 1 is best (Kynkaanniemi et al. 2019).

    A generated example is inside if it is as near to some real example as that one's k-th real neighbour.
    """
    real, generated = _rows(real), _rows(generated)
    return _share(_in_balls(generated, real, _radii(real, k))[0] > 0)


def recall(real: Tensor, generated: Tensor, k: int = 3) -> float:
    """Return the share of real examples inside the generated ones, in [0, 1]; 1 is best (Kynkaanniemi et al. 2019)."""
    return precision(generated, real, k)


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020).

    A ball around each real example reaches to its k-th real neighbour. Density is the mean number of balls in which a
    generated example lies, divided by k; it may exceed 1. Coverage is the share of balls that hold a generated example,
    in [0, 1].
    """
    real, generated = _rows(real), _rows(generated)
    balls, covered = _in_balls(generated, real, _radii(real, k))
    return float(balls.double().mean()) / k, _share(covered)


def variety(real: Tensor, generated: Tensor) -> float:
    """Return the median distance of generated examples to the nearest other one, divided by that of real examples.

    Both are [n, ...]. It is about 1 if generated examples repeat no more often than real ones, and near 0 if a few are
    generated again and again, over however many modes: an automatic birthday test (Arora and Zhang 2018). nan if most
    real examples are equal.
    """
    of_generated, of_real = (_radii(_rows(x), 1).median() for x in (generated, real))
    return float(of_generated / of_real) if float(of_real) > ROUNDING * _length(real) else math.nan


def copies(train: Tensor, generated: Tensor, near: float = NEAR, spacing: float | None = None) -> float:
    """Return the share of generated examples that are near copies of a training example, in [0, 1]; 0 is best.

    A near copy is nearer to a training example than `near` times `spacing`, by default their `typical_spacing`. nan if
    most training examples are equal.
    """
    spacing = typical_spacing(train) if spacing is None else spacing
    if spacing <= ROUNDING * _length(train):
        return math.nan
    return _share(_nearest(_rows(generated), _rows(train), 1)[0] < near * spacing)


def typical_spacing(train: Tensor) -> float:
    """Return the median distance of about SPACING_EXAMPLES training examples to their nearest neighbour."""
    train = _rows(train)
    rows = torch.arange(0, len(train), max(1, len(train) // SPACING_EXAMPLES))
    return float(_nearest(train[rows], train, 1, excluded=rows)[0].median())


def near_copy_distance(train: Tensor) -> float:
    """Return the distance below which an example is a near copy, as `copies` counts them, and at least of an equal one.

    Equal training examples leave rounding errors alone as the distance.
    """
    return max(NEAR * typical_spacing(train) if len(train) > 1 else 0.0, ROUNDING * _length(train))


def distances_to_nearest(x: Tensor, among: Tensor) -> Tensor:
    """Return the distance [n] of each x to the nearest of `among`; infinite if there is none."""
    if not len(among):
        return torch.full((len(x),), torch.inf)
    return _nearest(_rows(x), _rows(among), 1)[0][:, 0]


def nearest(train: Tensor, generated: Tensor) -> Tensor:
    """Return the row [n] of the training example nearest to each generated example."""
    return _nearest(_rows(generated), _rows(train), 1)[1][:, 0]


def blocks(x: Tensor, width: int) -> Iterator[Tensor]:
    """Split the rows of x into blocks that have at most MAX_DISTANCES distances to `width` other rows."""
    return iter(torch.split(x, max(1, MAX_DISTANCES // width)))


def _radii(x: Tensor, k: int) -> Tensor:
    """Return the distance [n] of each example to its k-th neighbour among the others."""
    if len(x) <= k:
        raise ValueError(f"{k} neighbours need more than {k} examples, and there are {len(x)}.")
    return _nearest(x, x, k, excluded=torch.arange(len(x)))[0][:, -1]


def _nearest(x: Tensor, among: Tensor, k: int, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return distance and row [n, k] of each x's k nearest examples, the nearest first.

    `excluded` [n] names a row of `among` that is left out for each x.
    """
    results, start = [], 0
    for part in blocks(x, len(among)):
        distances = torch.cdist(part, among)
        if excluded is not None:
            distances[torch.arange(len(part)), excluded[start : start + len(part)]] = torch.inf
        results.append(distances.topk(k, largest=False))
        start += len(part)
    return torch.cat([values for values, _ in results]), torch.cat([numbers for _, numbers in results])


def _in_balls(x: Tensor, centres: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Return in how many balls each x lies [n], and whether each ball holds any x [m]."""
    inside = [torch.cdist(part, centres) <= radii for part in blocks(x, len(centres))]
    return torch.cat([part.sum(dim=1) for part in inside]), torch.stack([part.any(dim=0) for part in inside]).any(dim=0)


def _length(x: Tensor) -> float:
    """Return the mean Euclidean length of the examples."""
    return float(_rows(x).double().norm(dim=1).mean())


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())


def _rows(x: Tensor) -> Tensor:
    x = x.flatten(1)
    return x.double() if x.shape[1] <= MAX_DOUBLE_WIDTH else x.float()
