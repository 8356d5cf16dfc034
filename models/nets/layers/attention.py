"""Self-attention between all places of a map (Zhang et al. 2018)."""

import torch
from torch import Tensor, nn

from models.nets.layers.common import halved


class SelfAttention(nn.Module):
    """Maps [n, channels, h, w] -> the same plus `gain` times what each place saw elsewhere; `gain` starts at 0.

    Keys and values are taken at half the side, as the authors' code does, but of averages instead of maxima, whose
    slopes a GPU sums in no fixed order.
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
        n, _, height, width = x.shape
        places = halved(x)
        query, key, value = (maps.flatten(2) for maps in (self.query(x), self.key(places), self.value(places)))
        share = (query.mT @ key).softmax(2)
        seen: Tensor = self.out((value @ share.mT).reshape(n, -1, height, width))
        return x + self.gain * seen
