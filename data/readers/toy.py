"""Sample the toy datasets, points and strings, from a fixed seed per split."""

import math

import torch
from torch import Tensor

from data.readers.base import Split, unknown_dataset
from data.toy import MIXTURES
from models.spec.data import Points, Sequences
from models.spec.datasets import DATASETS

SEEDS = {"train": 0, "test": 1}


def points(spec: Points, split: Split) -> Tensor:
    """Sample points float32 [N, dimension], normally distributed around the modes, equally many per mode."""
    if spec.dataset not in MIXTURES:
        raise unknown_dataset(spec.dataset, MIXTURES)
    count, mixture = DATASETS[spec.dataset].size, MIXTURES[spec.dataset]
    modes, spreads = torch.from_numpy(mixture.modes).float(), torch.from_numpy(mixture.spreads).float()
    mode = torch.arange(count) % len(modes)
    return modes[mode] + spreads[mode, None] * torch.randn(count, spec.dimension, generator=_rng(split))


def sequences(spec: Sequences, split: Split) -> Tensor:
    """Sample strings int64 [N, length] of balanced brackets, uniformly over all valid strings."""
    if spec.dataset != "dyck":
        raise unknown_dataset(spec.dataset, ["dyck"])
    return balanced_strings(DATASETS[spec.dataset].size, spec.length, spec.symbols // 2, _rng(split))


def balanced_strings(n: int, length: int, kinds: int, rng: torch.Generator) -> Tensor:
    """Sample balanced strings int64 [n, length] uniformly: symbol 2k opens a bracket of kind k, 2k + 1 closes it.

    At each position a bracket opens with a probability: the share of the valid continuations that open one.
    """
    rows, height = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    opened, strings = torch.zeros(n, length + 1, dtype=torch.int64), torch.empty(n, length, dtype=torch.int64)
    for position in range(length):
        remaining = length - position
        share = torch.tensor([_opening_share(level, remaining) for level in range(length + 1)], dtype=torch.float64)
        opens = torch.rand(n, generator=rng, dtype=torch.float64) < share[height]
        fresh = torch.randint(kinds, (n,), generator=rng)
        kind = torch.where(opens, fresh, opened[rows, (height - 1).clamp(min=0)])
        opened[rows, height] = torch.where(opens, kind, opened[rows, height])
        strings[:, position] = 2 * kind + (~opens).long()
        height += torch.where(opens, 1, -1)
    return strings


def _opening_share(height: int, remaining: int) -> float:
    """Return the share of continuations that open a bracket, from `height` open ones to none in `remaining` symbols."""
    opening, closing = _ways(height + 1, remaining - 1), _ways(height - 1, remaining - 1)
    return opening / max(1, opening + closing)


def _ways(height: int, remaining: int) -> int:
    """Count the paths from `height` to 0 in `remaining` steps of one that stay at 0 or above (ballot numbers)."""
    if height < 0 or height > remaining or (remaining - height) % 2:
        return 0
    ups = (remaining - height) // 2
    return math.comb(remaining, ups) - (math.comb(remaining, ups - 1) if ups else 0)


def _rng(split: Split) -> torch.Generator:
    return torch.Generator().manual_seed(SEEDS[split])
