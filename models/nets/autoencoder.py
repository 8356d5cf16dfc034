"""Autoencoders: a generator that decodes latents, and a mirrored encoder."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from models.nets.dcgan import DcganGenerator
from models.nets.layers.common import activation, initialise
from models.spec.nets import DcganAutoencoder as DcganAutoencoderSpec
from models.spec.nets import DcganGenerator as DcganGeneratorSpec
from models.spec.nets import MlpAutoencoder as MlpAutoencoderSpec
from models.spec.nets import halvings


class Autoencoder(nn.Module):
    """Base class: z [n, latent] -> [n, *shape]; `encode` maps examples to codes."""

    encoder: nn.Module
    decoder: nn.Module

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        out: Tensor = self.decoder(z)
        return out

    def encode(self, x: Tensor) -> Tensor:
        """Encode [n, *shape] into codes [n, latent]; into means and log variances [n, 2 x latent] if Gaussian."""
        out: Tensor = self.encoder(x)
        return out


class MlpAutoencoder(Autoencoder):
    """Fully connected encoder and decoder. The output is tanh for pictures with hidden layers, else linear."""

    def __init__(self, spec: MlpAutoencoderSpec, latent: int, shape: Sequence[int], gaussian: bool = False) -> None:
        super().__init__()
        size = math.prod(shape)
        widths = [latent, *spec.hidden, size]
        bounded = len(shape) > 1 and bool(spec.hidden)
        self.decoder = nn.Sequential(
            *_stack(widths, spec), *([nn.Tanh()] if bounded else []), nn.Unflatten(1, tuple(shape))
        )
        self.encoder = nn.Sequential(nn.Flatten(), *_stack([*widths[:0:-1], latent * (1 + gaussian)], spec))


class DcganAutoencoder(Autoencoder):
    """Convolutional: pictures [n, channels, side, side] in [-1, 1] for any square side from 8 px."""

    def __init__(
        self, spec: DcganAutoencoderSpec, latent: int, side: int, channels: int, gaussian: bool = False
    ) -> None:
        super().__init__()
        mirrored = DcganGeneratorSpec(width=spec.width, norm=spec.norm)
        self.decoder = DcganGenerator(mirrored, latent, side, channels, classes=0)
        layers: list[nn.Module] = []
        width, bias = channels, spec.norm == "none"
        for depth in range(len(halvings(side)) - 1):
            after = spec.width * 2**depth
            layers.append(nn.Conv2d(width, after, 4, 2, 1, bias=bias))
            layers += [nn.BatchNorm2d(after)] if spec.norm == "batch" else []
            layers.append(nn.ReLU())
            width, side = after, side // 2
        self.encoder = nn.Sequential(*layers, nn.Conv2d(width, latent * (1 + gaussian), side), nn.Flatten())
        if spec.norm == "batch":
            initialise(self.encoder)


def _stack(widths: Sequence[int], spec: MlpAutoencoderSpec) -> list[nn.Module]:
    """Return linear layers from width to width, with an activation after each but the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation(spec.activation)]
    return layers[:-1]
