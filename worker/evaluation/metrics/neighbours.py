"""Metrics of nearest neighbours: precision, recall, density, coverage, and copies of training examples.

Examples are rows [n, d]: features, or pictures flattened. Distances are Euclidean, computed in blocks, so that memory
stays bounded.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

MAX_DISTANCES = 1 << 25
"""distances held at a time"""
MAX_DOUBLE_WIDTH = 512
"""numbers of an example up to which it is compared in double precision"""
ROUNDING = 1e-5
"""share of the length of examples below which distances between them mean nothing"""
SPACING_EXAMPLES = 2_000
"""training examples that are asked how near their own neighbours are"""


def precision(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Share of fakes inside the data, in [0, 1]; 1 is best.

    Inside: nearer to an example than its k-th neighbour among its own is (Kynkaanniemi et al. 2019).
    """
    real, fake = _rows(real), _rows(fake)
    return _share(_in_balls(fake, real, _radii(real, k))[0] > 0)


def recall(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Share of the data inside the fakes, in [0, 1]; 1 is best (Kynkaanniemi et al. 2019)."""
    return precision(fake, real, k)


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """How many balls around real examples a fake lies in, over k, and the share of balls with a fake in them.

    A ball reaches to the k-th neighbour (Naeem et al. 2020). Density may exceed 1; coverage is in [0, 1].
    """
    real, fake = _rows(real), _rows(fake)
    balls, covered = _in_balls(fake, real, _radii(real, k))
    return float(balls.double().mean()) / k, _share(covered)


def variety(real: Tensor, fake: Tensor) -> float:
    """How far a fake is from its nearest other, over the same of as many real examples; medians, both [n, ...].

    About 1 when nothing repeats itself more than the data do; near 0 when few things are drawn again and again, as many
    modes as they may be: the birthday test (Arora and Zhang 2018) without an eye. nan where most real ones are equal.
    """
    own, usual = (_radii(_rows(x), 1).median() for x in (fake, real))
    return float(own / usual) if float(usual) > ROUNDING * _length(real) else math.nan


def copies(train: Tensor, fake: Tensor, near: float = 0.4, usual: float | None = None) -> float:
    """Share of fakes that are nearly a training example: memorised ones, in [0, 1]; 0 is best.

    Nearly: nearer to one than `near` times the `usual` distance, which is that of `apart` unless given. nan where most
    training examples are equal.
    """
    usual = typical_spacing(train) if usual is None else usual
    if usual <= ROUNDING * _length(train):
        return math.nan
    return _share(_nearest(_rows(fake), _rows(train), 1)[0] < near * usual)


def typical_spacing(train: Tensor) -> float:
    """The median distance of training examples to their own nearest other; asked of a thousand of them."""
    train = _rows(train)
    asked = torch.arange(0, len(train), max(1, len(train) // SPACING_EXAMPLES))
    return float(_nearest(train[asked], train, 1, own=asked)[0].median())


def nearest(train: Tensor, fake: Tensor) -> Tensor:
    """For each fake the number [n] of the training example that is nearest."""
    return _nearest(_rows(fake), _rows(train), 1)[1][:, 0]


def blocks(x: Tensor, width: int) -> Iterator[Tensor]:
    """Rows of x in pieces whose products with `width` others fit into the memory that is allowed."""
    return iter(torch.split(x, max(1, MAX_DISTANCES // width)))


def _radii(x: Tensor, k: int) -> Tensor:
    """[n]: distance of each example to its k-th neighbour among the others."""
    if len(x) <= k:
        raise ValueError(f"{k} neighbours need more than {k} examples, and there are {len(x)}.")
    return _nearest(x, x, k, own=torch.arange(len(x)))[0][:, -1]


def _nearest(x: Tensor, among: Tensor, k: int, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Distances and numbers [n, k] of the nearest, nearest first; `own` [n] are numbers to leave out, one a row."""
    found, start = [], 0
    for part in blocks(x, len(among)):
        distances = torch.cdist(part, among)
        if own is not None:
            distances[torch.arange(len(part)), own[start : start + len(part)]] = torch.inf
        found.append(distances.topk(k, largest=False))
        start += len(part)
    return torch.cat([values for values, _ in found]), torch.cat([numbers for _, numbers in found])


def _in_balls(x: Tensor, centres: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """In how many balls each x lies [n], and whether each ball holds one [m]."""
    inside = [torch.cdist(part, centres) <= radii for part in blocks(x, len(centres))]
    return torch.cat([part.sum(dim=1) for part in inside]), torch.stack([part.any(dim=0) for part in inside]).any(dim=0)


def _length(x: Tensor) -> float:
    return float(_rows(x).double().norm(dim=1).mean())


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())


def _rows(x: Tensor) -> Tensor:
    x = x.flatten(1)
    return x.double() if x.shape[1] <= MAX_DOUBLE_WIDTH else x.float()
