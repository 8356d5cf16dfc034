"""Layers that several networks share, and DCGAN's initialisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

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
    """BatchNorm whose gain and bias are looked up by class (Dumoulin et al. 2016; de Vries et al. 2017).

    Gains start as N(1, 1): when all classes start alike they are slow to part. On MNIST after 650 steps of `cdcgan` the
    agreement was .54 with N(1, .02), and .97 so.
    """

    listens = True

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm: nn.Module = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.bias = nn.Embedding(classes, channels)
        nn.init.normal_(self.gain.weight, 1.0, 1.0)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        gain, bias = self.gain(label)[..., None, None], self.bias(label)[..., None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def normalised(norm: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    """x through its norm, which is told the class (or what stands for it) where it listens."""
    out: Tensor = norm(x, condition) if getattr(norm, "listens", False) else norm(x)
    return out


def enlarged(x: Tensor, side: int) -> Tensor:
    """Maps [n, c, h, h] at a larger side, each new pixel a copy of the nearest old one."""
    return F.interpolate(x, size=(side, side), mode="nearest")


def halved(x: Tensor) -> Tensor:
    """Maps [n, c, h, h] at half the side, rounded up: means of two by two pixels."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


class FromPixel(nn.ConvTranspose2d):
    """A generator's first layer: a transposed convolution of one pixel, [n, c, 1, 1] -> [n, d, k, k].

    It is one matrix product, and as such takes a fifth of the time. No copies where its weights lie channels last.
    """

    ROWS = 4
    """Products of fewer are often computed another way, with other last bits; so a smaller batch is filled up to it."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        n, rows = len(x), F.pad(x.flatten(1), (0, 0, 0, max(0, self.ROWS - len(x))))
        product = rows @ self.weight.permute(0, 2, 3, 1).flatten(1)
        made = product[:n].view(n, *self.kernel_size, -1).permute(0, 3, 1, 2)
        return made if self.bias is None else made + self.bias[:, None, None]


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Meanwhile BatchNorm's running statistics stay: those that are served belong to the latents of the prior."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def initialise(network: nn.Module) -> None:
    """Convolutions N(0, .02), gains N(1, .02), biases 0 (Radford et al. 2015, section 4).

    For networks that normalise after every convolution; the others keep torch's own.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


class Scheduled(nn.Module):
    """Computes according to `progress`, the share of the budget that is done: 0 at the start, 1 when served at the end.

    It follows from the step, so it is set from outside and never saved.
    """

    progress: float = 1.0


def proceed(network: nn.Module, progress: float) -> None:
    """Tell every scheduled module inside how far the training is."""
    for module in network.modules():
        if isinstance(module, Scheduled):
            module.progress = progress
