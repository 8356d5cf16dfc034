"""Draw toy points and strings from a seed for each split."""

import math

import torch
from torch import Tensor

from data.readers.base import Split, unknown_dataset
from data.toy import MIXTURES
from models.spec.data import Points, Sequences
from models.spec.datasets import DATASETS

SEEDS = {"train": 0, "test": 1}


def points(spec: Points, split: Split) -> Tensor:
    """float32 [N, dimension]: a normal distribution around each mode, each mode equally often."""
    if spec.dataset not in MIXTURES:
        raise unknown_dataset(spec.dataset, MIXTURES)
    count, mixture = DATASETS[spec.dataset].size, MIXTURES[spec.dataset]
    modes, spreads = torch.from_numpy(mixture.modes).float(), torch.from_numpy(mixture.spreads).float()
    own = torch.arange(count) % len(modes)
    return modes[own] + spreads[own, None] * torch.randn(count, spec.dimension, generator=_rng(split))


def sequences(spec: Sequences, split: Split) -> Tensor:
    """int64 [N, length]: balanced brackets, every valid string as likely as any other."""
    if spec.dataset != "dyck":
        raise unknown_dataset(spec.dataset, ["dyck"])
    return balanced_strings(DATASETS[spec.dataset].size, spec.length, spec.symbols // 2, _rng(split))


def balanced_strings(n: int, length: int, kinds: int, rng: torch.Generator) -> Tensor:
    """int64 [n, length], uniform over all of them: symbol 2k opens a bracket of kind k, 2k + 1 closes it.

    Place by place: a bracket opens with the share that opening has of all valid ways to go on.
    """
    rows, height = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    opened, strings = torch.zeros(n, length + 1, dtype=torch.int64), torch.empty(n, length, dtype=torch.int64)
    for place in range(length):
        left = length - place
        share = torch.tensor([_opening_share(level, left) for level in range(length + 1)], dtype=torch.float64)
        opens = torch.rand(n, generator=rng, dtype=torch.float64) < share[height]
        fresh = torch.randint(kinds, (n,), generator=rng)
        kind = torch.where(opens, fresh, opened[rows, (height - 1).clamp(min=0)])
        opened[rows, height] = torch.where(opens, kind, opened[rows, height])
        strings[:, place] = 2 * kind + (~opens).long()
        height += torch.where(opens, 1, -1)
    return strings


def _opening_share(height: int, left: int) -> float:
    """Of the ways to go from `height` open brackets to none in `left` places, the share that begins by opening."""
    opening, closing = _ways(height + 1, left - 1), _ways(height - 1, left - 1)
    return opening / max(1, opening + closing)


def _ways(height: int, left: int) -> int:
    """Paths from `height` to 0 in `left` steps of one, never below 0 (the ballot numbers)."""
    if height < 0 or height > left or (left - height) % 2:
        return 0
    ups = (left - height) // 2
    return math.comb(left, ups) - (math.comb(left, ups - 1) if ups else 0)


def _rng(split: Split) -> torch.Generator:
    return torch.Generator().manual_seed(SEEDS[split])
