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
    """Conditional BatchNorm: gain and bias are looked up by class (Dumoulin et al. 2016; de Vries et al. 2017).

    Gains start as N(1, 1), since classes with similar gains separate slowly: on MNIST, after 650 steps of `cdcgan`,
    the agreement was .54 with N(1, .02) and .97 with N(1, 1).
    """

    conditional = True

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm: nn.Module = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.bias = nn.Embedding(classes, channels)
        nn.init.normal_(self.gain.weight, 1.0, 1.0)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        gain, bias = look_up(self.gain, label)[..., None, None], look_up(self.bias, label)[..., None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def look_up(table: nn.Embedding, label: Tensor) -> Tensor:
    """Return the vectors of classes [n], or of mixtures of classes (weights, float [n, classes]): the weighted sums.

    The sums are of elementwise products: a row's bits depend on its own weights alone, and a single class of weight 1
    has its own vector's bits.
    """
    if not label.is_floating_point():
        vectors: Tensor = table(label)
        return vectors
    mixed = label.new_zeros(len(label), table.embedding_dim)
    for number in label.any(0).nonzero().flatten().tolist():
        mixed = mixed + label[:, number, None] * table.weight[number]
    return mixed


def apply_norm(norm: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    """Normalise x; a conditional norm also gets the condition (a class or a vector)."""
    out: Tensor = norm(x, condition) if getattr(norm, "conditional", False) else norm(x)
    return out


def upsample(x: Tensor, side: int) -> Tensor:
    """Enlarge maps [n, c, h, h] to a larger side by nearest-neighbour interpolation."""
    return F.interpolate(x, size=(side, side), mode="nearest")


def downsample(x: Tensor) -> Tensor:
    """Reduce maps [n, c, h, h] to half the side, rounded up, by 2x2 average pooling."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


class FromPixel(nn.ConvTranspose2d):
    """A generator's first layer: a transposed convolution of one pixel, [n, c, 1, 1] -> [n, d, k, k].

    It is computed as one matrix product, in a fifth of the time; without copies if its weights are channels_last.
    """

    MIN_ROWS = 4
    """rows to which smaller batches are padded: products of fewer rows are often rounded differently"""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        n, rows = len(x), F.pad(x.flatten(1), (0, 0, 0, max(0, self.MIN_ROWS - len(x))))
        product = rows @ self.weight.permute(0, 2, 3, 1).flatten(1)
        maps = product[:n].view(n, *self.kernel_size, -1).permute(0, 3, 1, 2)
        return maps if self.bias is None else maps + self.bias[:, None, None]


@contextmanager
def keep_running_statistics(network: nn.Module) -> Iterator[None]:
    """Keep BatchNorm's running statistics unchanged inside the block: they describe latents of the prior only."""
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
    """Initialise convolutions as N(0, .02), gains as N(1, .02), biases as 0 (Radford et al. 2015, section 4).

    It is for networks that normalise after every convolution; others keep torch's initialisation.
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
    """Base class of modules that depend on `progress`, the finished share of the budget, from 0 to 1.

    It follows from the step: `set_training_progress` sets it, and it is never saved. Final weights are served at 1.
    """

    progress: float = 1.0


def set_training_progress(network: nn.Module, progress: float) -> None:
    """Set `progress` of every Scheduled module inside."""
    for module in network.modules():
        if isinstance(module, Scheduled):
            module.progress = progress
