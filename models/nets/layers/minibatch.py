"""Critic layers over a whole batch, which expose a lack of variety."""

from typing import assert_never

import torch
from torch import Tensor, nn

from models import distributed
from models.spec.nets import KERNEL_SIZE, KERNELS, BatchLayer


class MinibatchDiscrimination(nn.Module):
    """Features [n, f] -> [n]: a learned weighted sum of each example's similarities to the others.

    Salimans et al. 2016, section 3.2: exp(-L1 distance) under each of KERNELS kernels; here averaged over the other
    examples, so that it does not depend on the batch size.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.kernels = nn.Linear(features, KERNELS * KERNEL_SIZE, bias=False)
        self.score = nn.Linear(KERNELS, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        points = self.kernels(features).float().view(len(features), KERNELS, KERNEL_SIZE)
        all_points = distributed.all_gather(points)
        similarity = (-(points[:, None] - all_points[None]).abs().sum(3)).exp()
        score: Tensor = self.score((similarity.sum(1) - 1) / max(len(all_points) - 1, 1))
        return score.squeeze(1)


class MinibatchDeviation(nn.Module):
    """Features [n, f] -> [n], all equal: a learned multiple of the batch's standard deviation, averaged over f.

    Karras et al. 2018, section 3, group four examples; here the whole batch is one group.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        deviation = (distributed.all_gather(features.float()).var(0, correction=0) + 1e-8).sqrt().mean()
        return (self.score * deviation).expand(len(features))


def build_batch_layer(kind: BatchLayer, features: int) -> nn.Module | None:
    """Build the layer whose output [n] is added to a critic's scores; None if examples are judged separately."""
    match kind:
        case "none":
            return None
        case "discrimination":
            return MinibatchDiscrimination(features)
        case "deviation":
            return MinibatchDeviation()
        case _:
            assert_never(kind)
