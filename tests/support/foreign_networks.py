"""Generators of other projects, rebuilt in plain torch from the keys and shapes of their files, and nothing of ours.

Weights are drawn wide, so that a wrong order of channels or a wrong norm changes the pictures much. Norms get running
statistics as after a training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Weights = dict[str, Tensor]
Foreign: TypeAlias = "CycleganResnet | Pix2pixUnet | DcganExample"


def _norm(kind: str, width: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(width)
    return nn.InstanceNorm2d(width, affine=False, track_running_stats=kind == "old_instance")


class _Block(nn.Module):
    def __init__(self, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = norm != "batch"
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            _norm(norm, width),
            nn.ReLU(True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            _norm(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv_block(x)
        return out


class CycleganResnet(nn.Module):
    """CycleGAN's generator: keys model.1, .4, .7, blocks from model.10, two transposed convolutions, one at the end."""

    def __init__(
        self,
        width: int = 8,
        blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        channels: int = 3,
        output_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.input_shape = channels, 64, 64
        bias, w = norm != "batch", width
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7, bias=bias), _norm(norm, w)]
        layers.append(nn.ReLU(True))
        for n in (w, 2 * w):
            layers += [nn.Conv2d(n, 2 * n, 3, stride=2, padding=1, bias=bias), _norm(norm, 2 * n), nn.ReLU(True)]
        layers += [_Block(4 * w, norm, dropout) for _ in range(blocks)]
        for n in (4 * w, 2 * w):
            up = nn.ConvTranspose2d(n, n // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)
            layers += [up, _norm(norm, n // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(w, output_channels or channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class _Level(nn.Module):
    """One level of the U-Net; it changes its input in place, as the original does, before it is joined."""

    def __init__(
        self, outer: int, inner: int, inside: nn.Module | None, norm: str, output_channels: int | None = None
    ) -> None:
        super().__init__()
        self.outermost, bias = output_channels is not None, norm != "batch"
        down = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias)
        wide = inner if inside is None else 2 * inner
        if self.outermost:
            assert inside is not None
            assert output_channels is not None
            up = nn.ConvTranspose2d(wide, output_channels, 4, stride=2, padding=1)
            parts = [down, inside, nn.ReLU(True), up, nn.Tanh()]
        else:
            up = nn.ConvTranspose2d(wide, outer, 4, stride=2, padding=1, bias=bias)
            middle = [] if inside is None else [_norm(norm, inner), inside]
            parts = [nn.LeakyReLU(0.2, True), down, *middle, nn.ReLU(True), up, _norm(norm, outer)]
            if inside is not None:
                parts.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)
        return out


class Pix2pixUnet(nn.Module):
    """Pix2pix's generator: levels inside each other, model.model.0 and .3 outside, then model.model.1.model. ..."""

    def __init__(
        self,
        width: int = 8,
        depth: int = 8,
        norm: str = "batch",
        channels: int = 3,
        output_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.input_shape = channels, 2**depth, 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        level: nn.Module | None = None
        for number in range(depth - 1, 0, -1):
            level = _Level(widths[number - 1], widths[number], level, norm)
        self.model = _Level(channels, widths[0], level, norm, output_channels or channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class DcganExample(nn.Module):
    """The generator of PyTorch's DCGAN example: main.0, .3, .6, .9, .12 without biases, BatchNorm between them."""

    def __init__(self, latent: int = 100, width: int = 8, channels: int = 3, layers: int = 5) -> None:
        super().__init__()
        self.input_shape = latent, 1, 1
        before = width * 2 ** (layers - 2)
        parts: list[nn.Module] = [nn.ConvTranspose2d(latent, before, 4, 1, 0, bias=False)]
        for _ in range(layers - 2):
            parts += [nn.BatchNorm2d(before), nn.ReLU(True)]
            parts.append(nn.ConvTranspose2d(before, before // 2, 4, 2, 1, bias=False))
            before //= 2
        parts += [nn.BatchNorm2d(before), nn.ReLU(True), nn.ConvTranspose2d(before, channels, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*parts, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.main(z)
        return out


Network = TypeVar("Network", bound="CycleganResnet | Pix2pixUnet | DcganExample")


@torch.no_grad()
def trained(network: Network, seed: int = 1) -> Network:
    """Give a network weights and statistics as after a training, from a seed, and put it into eval mode.

    BatchNorm's statistics are those of a batch of noise.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            inputs = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.weight[:, 0].numel()
            module.weight.normal_(0, 1.2 / inputs**0.5, generator=generator)
            if module.bias is not None:
                module.bias.normal_(0, 0.3, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.normal_(1, 0.3, generator=generator)
            module.bias.normal_(0, 0.3, generator=generator)
            module.momentum = None  # the average of all batches: here there is one
        elif isinstance(module, nn.InstanceNorm2d) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # dropout has no generator of its own
            network.train()(inputs_of(network, 4, seed))
    network.eval()
    return network


def inputs_of(network: Foreign, n: int, seed: int) -> Tensor:
    """Return `n` latents, or pictures in [-1, 1], of the network's input shape."""
    generator, shape = torch.Generator().manual_seed(seed), network.input_shape
    if isinstance(network, DcganExample):
        return torch.randn(n, *shape, generator=generator)
    return torch.rand(n, *shape, generator=generator) * 2 - 1


def save_pth(weights: Mapping[str, object], path: Path) -> Path:
    torch.save(dict(weights), path)
    return path


def save_safetensors(weights: Weights, path: Path) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, path)
    return path
