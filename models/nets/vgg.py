"""VGG19 up to its fifth pooling (Simonyan and Zisserman 2014), under the names of torchvision's weights."""

import torch
from torch import Tensor, nn

WIDTHS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""of the convolutions between poolings"""
SCALE = 1 / 12.75
"""brings the features to the size of pixels (Ledig et al. 2017, section 3.2)"""


class Vgg19(nn.Module):
    """Pictures [n, 1 or 3, h, w] in [-1, 1], sides of 16 at least -> features [n, 512, h / 16, w / 16].

    They are the last ones before the fifth pooling, after their ReLU: VGG 5,4 of Ledig et al. 2017.
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
        # Of ImageNet's pictures in [0, 1]: what the weights were trained with.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        coloured = ((x + 1) / 2).expand(-1, 3, -1, -1)
        features: Tensor = self.features((coloured - self.mean) / self.spread)
        return SCALE * features
