"""Pix2pix's U-Net (Isola et al. 2016); without skips the context encoder of Pathak et al. 2016."""

import torch
from torch import Tensor, nn

from models.nets.layers.common import initialise
from models.spec.nets import UnetGenerator as UnetGeneratorSpec

DROPOUT_BLOCKS = 3
"""number of innermost decoder blocks with dropout"""


class UnetGenerator(nn.Module):
    """Pictures [n, input_channels, h, w] in [-1, 1], sides divisible by 2^depth -> [n, channels, h, w] in [-1, 1]."""

    def __init__(self, spec: UnetGeneratorSpec, input_channels: int, channels: int) -> None:
        super().__init__()
        widths = [spec.width * min(2**level, 8) for level in range(spec.depth)]
        befores, last = [input_channels, *widths], spec.depth - 1
        self.down = nn.ModuleList(
            # The outermost map is not normalised, as in the paper, nor the innermost, which may be a single pixel.
            _down(befores[level], widths[level], spec.norm, outer=level == 0, inner=level == last)
            for level in range(spec.depth)
        )
        self.up = nn.ModuleList()
        for level in range(last, 0, -1):
            before = widths[level] * (2 if spec.skips and level < last else 1)
            dropout = spec.dropout if last - level < DROPOUT_BLOCKS else 0.0
            self.up.append(_up(before, widths[level - 1], spec.norm, dropout))
        outermost = widths[0] * (2 if spec.skips and last else 1)
        self.paint = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(outermost, channels, 4, 2, 1), nn.Tanh())
        self.skips = spec.skips
        if spec.norm != "none":
            initialise(self)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        skipped: list[Tensor] = []
        for down in self.down:
            x = down(x)
            skipped.append(x)
        skipped.pop()
        for up in self.up:
            x = up(x)
            if self.skips:
                x = torch.cat([x, skipped.pop()], dim=1)
        painted: Tensor = self.paint(x)
        return painted


def _down(before: int, after: int, norm: str, outer: bool, inner: bool) -> nn.Module:
    """Return an encoder block that halves the side."""
    relus = [] if outer else [nn.LeakyReLU(0.2)]
    norms = [] if outer or inner else [_norm(norm, after)]
    return nn.Sequential(*relus, nn.Conv2d(before, after, 4, 2, 1, bias=norm != "batch"), *norms)


def _up(before: int, after: int, norm: str, dropout: float) -> nn.Module:
    """Return a decoder block that doubles the side."""
    layers = [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=norm != "batch"), _norm(norm, after)]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


def _norm(kind: str, width: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm2d(width) if kind == "batch" else nn.InstanceNorm2d(width)
