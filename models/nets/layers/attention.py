"""Self-attention between all pixels of a map (Zhang et al. 2018)."""

import torch
from torch import Tensor, nn

from models.nets.layers.common import downsample


class SelfAttention(nn.Module):
    """Maps [n, channels, h, w] -> the same plus `gain` times the attended values; `gain` starts at 0.

    Keys and values are computed at half the side, as in the authors' code, but by average pooling: a GPU sums the
    gradients of max pooling in no fixed order.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        pooled = downsample(x)
        query, key, value = (maps.flatten(2) for maps in (self.query(x), self.key(pooled), self.value(pooled)))
        weights = (query.mT @ key).softmax(2)
        attended: Tensor = self.out((value @ weights.mT).unflatten(2, (height, width)))
        return x + self.gain * attended
