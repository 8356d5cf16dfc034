"""Layers that several networks share, and the initialisation of DCGAN's authors."""

from typing import assert_never

import torch
from torch import Tensor, nn

from models.spec.nets import Activation


def activation(kind: Activation) -> nn.Module:
    match kind:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(0.2)
        case "tanh":
            return nn.Tanh()
        case _:
            assert_never(kind)


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm whose gain and bias are looked up by class (Dumoulin et al. 2016; de Vries et al. 2017)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.bias = nn.Embedding(classes, channels)
        nn.init.normal_(self.gain.weight, 1.0, 0.02)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        gain, bias = self.gain(label)[..., None, None], self.bias(label)[..., None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def initialise(network: nn.Module) -> None:
    """Convolutions N(0, .02), gains N(1, .02), biases 0 (Radford et al. 2015, section 4).

    For networks that normalise after every convolution. Without norms it starves the critic of slope: the
    class-conditional DCGAN read .60 on MNIST after 650 steps with it, and .96 with torch's own.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
