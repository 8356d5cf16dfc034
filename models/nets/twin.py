"""Two critics as one."""

import torch
from torch import Tensor, nn

from models.duel import Verdict


class Twin(nn.Module):
    """Scores [n, ..., 2]: those of two critics side by side; features and classes are the first one's."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        first, second = self.first(x, label), self.second(x, label)
        return Verdict(torch.stack([first.score, second.score], -1), first.classes, first.features)
