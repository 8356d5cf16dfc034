"""Layers that let a critic compare the examples of a batch, so that it notices a lack of variety."""

from typing import assert_never

import torch
from torch import Tensor, nn

from models import distributed
from models.spec.nets import KERNEL_NUMBERS, KERNELS, Mixing


class MinibatchDiscrimination(nn.Module):
    """Features [n, f] -> [n]: a learned sum of how near each example is to the others.

    Salimans et al. 2016, section 3.2: exp(-L1 distance) under each of KERNELS kernels; here its mean over the others,
    so that it means the same for every batch size.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.kernels = nn.Linear(features, KERNELS * KERNEL_NUMBERS, bias=False)
        self.score = nn.Linear(KERNELS, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        points = self.kernels(features).float().view(len(features), KERNELS, KERNEL_NUMBERS)
        all_points = distributed.whole(points)
        near = (-(points[:, None] - all_points[None]).abs().sum(3)).exp()
        score: Tensor = self.score((near.sum(1) - 1) / max(len(all_points) - 1, 1))
        return score.squeeze(1)


class MinibatchDeviation(nn.Module):
    """Features [n, f] -> [n], all alike: a learned multiple of the batch's standard deviation, averaged over f.

    Karras et al. 2018, section 3; they group four examples, and here the batch is one group.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        deviation = (distributed.whole(features.float()).var(0, correction=0) + 1e-8).sqrt().mean()
        return (self.score * deviation).expand(len(features))


def batch_score(kind: Mixing, features: int) -> nn.Module | None:
    """The layer whose output [n] is added to a critic's scores; None where it judges each example alone."""
    match kind:
        case "none":
            return None
        case "discrimination":
            return MinibatchDiscrimination(features)
        case "deviation":
            return MinibatchDeviation()
        case _:
            assert_never(kind)
