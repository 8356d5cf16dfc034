"""Fuse BatchNorm into the convolution before it, for networks that only serve."""

from typing import Protocol, runtime_checkable

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.nets.layers.common import ConditionalBatchNorm2d

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@runtime_checkable
class Folds(Protocol):
    """A network whose convolutions and norms stand apart, so that it must be told which follow each other."""

    def pairs(self) -> list[tuple[nn.ModuleList, nn.ModuleList]]:
        """Convolutions, and beside each the norm that follows it."""
        ...


def fold(network: nn.Module) -> None:
    """In eval mode, in place, and for good: such a network computes the same up to rounding, and can no longer learn.

    Of a norm that listens to the class the statistics are folded, and its gains and biases stay.
    """
    for module in list(network.modules()):
        if isinstance(module, Folds):
            for convolutions, norms in module.pairs():
                for place, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
                    convolutions[place], norms[place] = _folded(convolution, norm)
        elif isinstance(module, nn.Sequential):
            for place in range(len(module) - 1):
                module[place], module[place + 1] = _folded(module[place], module[place + 1])


def _folded(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Both again where they do not fit together."""
    if not isinstance(convolution, _CONVOLUTIONS):
        return convolution, norm
    transposed = isinstance(convolution, nn.ConvTranspose2d)
    if isinstance(norm, nn.BatchNorm2d):
        return fuse_conv_bn_eval(convolution, norm, transposed), nn.Identity()
    if isinstance(norm, ConditionalBatchNorm2d) and isinstance(norm.norm, nn.BatchNorm2d):
        fused = fuse_conv_bn_eval(convolution, norm.norm, transposed)
        norm.norm = nn.Identity()
        return fused, norm
    return convolution, norm
