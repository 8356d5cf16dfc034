"""Critics that contain other networks: BEGAN's autoencoder (Berthelot et al. 2017) and D2GAN's pair of critics."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import upsample
from models.spec.nets import AutoencoderCritic as AutoencoderCriticSpec
from models.spec.nets import halvings, widths


class AutoencoderCritic(nn.Module):
    """Pictures [n, channels, side, side] -> the mean absolute reconstruction error [n] of each."""

    def __init__(self, spec: AutoencoderCriticSpec, side: int, channels: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(spec.width, self.sides)[::-1]
        down: list[nn.Module] = [nn.Conv2d(channels, wide[0], 3, padding=1), nn.ELU()]
        for before, after in pairwise(wide):
            down += [nn.Conv2d(before, after, 3, 2, 1), nn.ELU()]
        flat = wide[-1] * self.sides[0] ** 2
        self.encode = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, spec.code))
        self.first = nn.Linear(spec.code, flat)
        self.rise = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(wide[::-1]))
        self.paint = nn.Conv2d(wide[0], channels, 3, padding=1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        return Verdict((x - self.reconstruct(x)).abs().flatten(1).mean(1))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode pictures. The output is linear and may leave [-1, 1] slightly."""
        maps = self.first(self.encode(x)).view(len(x), -1, self.sides[0], self.sides[0])
        for convolve, side in zip(self.rise, self.sides[1:], strict=True):
            maps = F.elu(convolve(upsample(maps, side)))
        reconstructed: Tensor = self.paint(maps)
        return reconstructed


class DualCritic(nn.Module):
    """Two critics as one: scores [n, ..., 2]; features and class logits are the first critic's."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        first, second = self.first(x, label), self.second(x, label)
        return Verdict(torch.stack([first.score, second.score], -1), first.classes, first.features)
