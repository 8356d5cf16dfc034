"""Fuse BatchNorm into the convolution before it, for networks that only serve."""

from typing import Protocol, runtime_checkable

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.nets.layers.common import ConditionalBatchNorm2d

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@runtime_checkable
class HasConvolutionNormPairs(Protocol):
    """A network that has its convolutions and norms in separate lists."""

    def pairs(self) -> list[tuple[nn.ModuleList, nn.ModuleList]]:
        """Return pairs of lists: convolutions, and the norms that follow each of them."""
        ...


def fuse_batch_norms(network: nn.Module) -> None:
    """Fuse BatchNorms into convolutions, in place. The network must be in eval mode and cannot be trained afterwards.

    Its outputs stay equal up to rounding. A conditional norm keeps its gains and biases; only its statistics are fused.
    """
    for module in list(network.modules()):
        if isinstance(module, HasConvolutionNormPairs):
            for convolutions, norms in module.pairs():
                for index, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
                    convolutions[index], norms[index] = _fused(convolution, norm)
        elif isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                module[index], module[index + 1] = _fused(module[index], module[index + 1])


def _fused(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return a fused convolution and the rest of the norm, or both unchanged if they cannot be fused."""
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
