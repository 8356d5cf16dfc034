"""Sample the toy datasets, points and strings, from a fixed seed per split."""

import torch
from torch import Tensor

from data.readers import toy_arrays
from data.readers.base import Split, unknown_dataset
from data.readers.toy_arrays import SEEDS
from data.toy import MIXTURES
from models.spec.data import Points, Sequences
from models.spec.datasets import DATASETS


def points(spec: Points, split: Split) -> Tensor:
    """Sample points float32 [N, dimension], normally distributed around the modes, equally many per mode."""
    if spec.dataset not in MIXTURES:
        raise unknown_dataset(spec.dataset, MIXTURES)
    count, mixture = DATASETS[spec.dataset].size, MIXTURES[spec.dataset]
    modes, spreads = torch.from_numpy(mixture.modes).float(), torch.from_numpy(mixture.spreads).float()
    mode = torch.arange(count) % len(modes)
    rng = torch.Generator().manual_seed(SEEDS[split])
    return modes[mode] + spreads[mode, None] * torch.randn(count, spec.dimension, generator=rng)


def sequences(spec: Sequences, split: Split) -> Tensor:
    """Sample strings int64 [N, length] of balanced brackets; every valid string is equally likely."""
    if spec.dataset != "dyck":
        raise unknown_dataset(spec.dataset, ["dyck"])
    return torch.from_numpy(toy_arrays.sequences(spec, split))
