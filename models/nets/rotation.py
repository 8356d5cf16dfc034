"""A small network that tells how a picture is turned, for the features it needs to do so (Gidaris et al. 2018)."""

import torch
from torch import Tensor, nn

TURNS = 4
"""quarters of a circle"""


class RotationNet(nn.Module):
    """Pictures [n, channels, h, w] in [-1, 1], sides of 8 at least -> features [n, 64, h / 4, w / 4].

    `scale` is set once it has learned, so that the features of its dataset have a mean square of 1.
    """

    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(64, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.name = nn.Linear(64, TURNS)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.features(x)
        return self.scale * features

    def turned(self, x: Tensor) -> Tensor:
        """Logits [n, 4]: by how many quarters each picture was turned."""
        logits: Tensor = self.name(self.features(x).mean(dim=(2, 3)))
        return logits
