"""VGG19 up to its fifth pooling (Simonyan and Zisserman 2014), with torchvision's weight names."""

import torch
from torch import Tensor, nn

WIDTHS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""channels of the convolutions between poolings"""
FEATURE_SCALE = 1 / 12.75
"""scales the features to the magnitude of pixels (Ledig et al. 2017, section 3.2)"""


class Vgg19(nn.Module):
    """Pictures [n, 1 or 3, h, w] in [-1, 1], sides of at least 16 -> features [n, 512, h / 16, w / 16].

    The features are taken before the fifth pooling, after the ReLU: VGG 5,4 of Ledig et al. 2017.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for number, widths in enumerate(WIDTHS):
            layers += [nn.MaxPool2d(2)] if number else []
            for after in widths:
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
                before = after
        self.features = nn.Sequential(*layers)
        # Mean and standard deviation of ImageNet's pictures in [0, 1], with which the weights were trained.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        coloured = ((x + 1) / 2).expand(-1, 3, -1, -1)
        features: Tensor = self.features((coloured - self.mean) / self.spread)
        return FEATURE_SCALE * features
