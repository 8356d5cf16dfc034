"""Compute transposed convolutions to few channels as matrix products, equal up to rounding.

Libraries optimise transposed convolutions for wide layers. For a generator's last layer, with few output channels, a
matrix product is up to four times as fast (docs/performance.md).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_OUTPUT_CHANNELS = 4
"""most output channels of a replaced layer: those of a picture"""


def use_matrix_products(network: nn.Module) -> None:
    """Replace transposed convolutions to few channels, in place, after fusing norms. Training is then impossible."""
    for module in list(network.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ConvTranspose2d) and layer.out_channels <= MAX_OUTPUT_CHANNELS and _plain(layer):
                setattr(module, name, _MatmulDeconvolution(layer))


def _plain(layer: nn.ConvTranspose2d) -> bool:
    return layer.groups == 1 and layer.dilation == (1, 1)


class _MatmulDeconvolution(nn.Module):
    """A transposed convolution [n, c, h, w] -> [n, d, ...]: each pixel gives a patch; overlapping patches are added."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        assert isinstance(layer.padding, tuple)  # only plain convolutions take padding by name
        self._kernel, self._stride, self._padding = layer.kernel_size, layer.stride, layer.padding
        self._output_padding = layer.output_padding
        self.register_buffer("weight", layer.weight.detach().permute(1, 2, 3, 0).reshape(-1, layer.in_channels))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, -1, channels).transpose(1, 2)
        size = self._side(height, 0), self._side(width, 1)
        patches = torch.matmul(self.weight, pixels)
        output = F.fold(patches, size, self._kernel, padding=self._padding, stride=self._stride)
        return output if self.bias is None else output + self.bias

    def _side(self, side: int, axis: int) -> int:
        last = self._kernel[axis] - 2 * self._padding[axis] + self._output_padding[axis]
        return (side - 1) * self._stride[axis] + last
