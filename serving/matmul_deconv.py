"""Compute transposed convolutions to few channels as matrix products, equal up to rounding.

A library's transposed convolution is made for wide layers; at a generator's last one, which makes a picture of many
channels, a product is up to four times as quick (docs/performance.md).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW = 4
"""channels: those of a picture"""


def as_products(network: nn.Module) -> None:
    """In place and for good, after folding: such a network can no longer learn."""
    for module in list(network.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ConvTranspose2d) and layer.out_channels <= FEW and _plain(layer):
                setattr(module, name, _ToFew(layer))


def _plain(layer: nn.ConvTranspose2d) -> bool:
    return layer.groups == 1 and layer.dilation == (1, 1)


class _ToFew(nn.Module):
    """[n, c, h, w] -> [n, d, ...] as the layer does: a patch for each pixel, which overlap and are summed."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        assert isinstance(layer.padding, tuple)  # by name it is of convolutions only
        self._kernel, self._stride, self._padding = layer.kernel_size, layer.stride, layer.padding
        self._more = layer.output_padding
        self.register_buffer("weight", layer.weight.detach().permute(1, 2, 3, 0).reshape(-1, layer.in_channels))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, -1, channels).transpose(1, 2)
        size = self._side(height, 0), self._side(width, 1)
        patches = torch.matmul(self.weight, pixels)
        made = F.fold(patches, size, self._kernel, padding=self._padding, stride=self._stride)
        return made if self.bias is None else made + self.bias

    def _side(self, side: int, axis: int) -> int:
        reach = self._kernel[axis] - 2 * self._padding[axis] + self._more[axis]
        return (side - 1) * self._stride[axis] + reach
