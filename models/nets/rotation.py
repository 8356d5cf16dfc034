"""A small network whose features are learned by predicting how a picture was rotated (Gidaris et al. 2018)."""

import torch
from torch import Tensor, nn

QUARTER_TURNS = 4
"""number of rotations: 0, 90, 180, 270 degrees"""


class RotationNet(nn.Module):
    """Pictures [n, channels, h, w] in [-1, 1], sides of at least 8 -> features [n, 64, h / 4, w / 4].

    `scale` is set after training, so that the features of the dataset have a mean square of 1.
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
        self.name = nn.Linear(64, QUARTER_TURNS)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.features(x)
        return self.scale * features

    def rotation_logits(self, x: Tensor) -> Tensor:
        """Return logits [n, 4] of the number of quarter turns of each picture."""
        logits: Tensor = self.name(self.features(x).mean(dim=(2, 3)))
        return logits
