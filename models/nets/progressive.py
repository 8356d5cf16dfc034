"""ProGAN's generator and critic, which grow from 4-7 px to the data's side during training (Karras et al. 2018).

All layers exist from the start; a stage runs only the layers that it needs. The stage follows from the step.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import Scheduled, downsample, upsample
from models.nets.layers.minibatch import build_batch_layer
from models.spec.nets import ProgressiveCritic as ProgressiveCriticSpec
from models.spec.nets import ProgressiveGenerator as ProgressiveGeneratorSpec
from models.spec.nets import halvings, widths


def growth(progress: float, stages: int) -> tuple[int, float]:
    """Return the stage and how far its new layers have faded in, in [0, 1].

    Stages are equal shares of the budget; the new layers of each fade in over its first half.

    >>> growth(0.0, 2), growth(0.5, 2), growth(0.625, 2), growth(1.0, 2)
    ((0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0))
    """
    stage = min(int(progress * stages), stages - 1)
    return stage, min(1.0, 2 * (progress * stages - stage)) if stage else 1.0


class ProgressiveGenerator(Scheduled):
    """z [n, latent] -> pictures [n, channels, side, side] in [-1, 1]; pictures of low stages are upsampled."""

    def __init__(self, spec: ProgressiveGeneratorSpec, latent: int, side: int, channels: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(spec.width, self.sides)
        self.first = EqualLinear(latent, wide[0] * self.sides[0] ** 2)
        pairs = zip([wide[0], *wide], wide, strict=False)
        self.blocks = nn.ModuleList(
            nn.ModuleList([EqualConv2d(before, after, 3), EqualConv2d(after, after, 3)][not stage :])
            for stage, (before, after) in enumerate(pairs)
        )
        # The paper's output convolution is 1x1. To a single channel its rounding depends on the batch size.
        self.paint = nn.ModuleList(EqualConv2d(width, channels, 3, gain=1) for width in wide)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        stage, fade = growth(self.progress, len(self.sides))
        x = self.first(pixel_norm(z)).unflatten(1, (-1, self.sides[0], self.sides[0]))
        x = before = self._block(0, pixel_norm(F.leaky_relu(x, 0.2)))
        for number in range(1, stage + 1):
            before, x = x, self._block(number, upsample(x, self.sides[number]))
        picture: Tensor = self.paint[stage](x)
        if fade < 1:
            picture = torch.lerp(upsample(self.paint[stage - 1](before), self.sides[stage]), picture, fade)
        return upsample(picture.tanh(), self.sides[-1])

    def _block(self, number: int, x: Tensor) -> Tensor:
        block = self.blocks[number]
        assert isinstance(block, nn.ModuleList)
        for convolve in block:
            x = pixel_norm(F.leaky_relu(convolve(x), 0.2))
        return x


class ProgressiveCritic(Scheduled):
    """Pictures [n, channels, side, side] -> one score each, computed at the stage's side."""

    def __init__(self, spec: ProgressiveCriticSpec, side: int, channels: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(spec.width, self.sides)
        self.read = nn.ModuleList(EqualConv2d(channels, width, 1) for width in wide)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                EqualConv2d(after, after, 3), nn.LeakyReLU(0.2),
                EqualConv2d(after, before, 3), nn.LeakyReLU(0.2),
            )
            for before, after in zip([wide[0], *wide], wide, strict=False)
        )  # fmt: skip
        self.hidden = EqualLinear(wide[0] * self.sides[0] ** 2, wide[0])
        self.score = EqualLinear(wide[0], 1, gain=1)
        self.batch_score = build_batch_layer(spec.minibatch, wide[0] * self.sides[0] ** 2)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        stage, fade = growth(self.progress, len(self.sides))
        for _ in self.sides[stage + 1 :]:
            x = downsample(x)
        maps = self._read(stage, x)
        for number in range(stage, 0, -1):
            maps = downsample(self.blocks[number](maps))
            if number == stage and fade < 1:
                maps = torch.lerp(self._read(stage - 1, downsample(x)).to(maps.dtype), maps, fade)
        last = self.blocks[0](maps).flatten(1)
        features = F.leaky_relu(self.hidden(last), 0.2)
        score = self.score(features).squeeze(1)
        if self.batch_score is not None:
            score = score + self.batch_score(last)
        return Verdict(score, features=features)

    def _read(self, stage: int, x: Tensor) -> Tensor:
        return F.leaky_relu(self.read[stage](x), 0.2)


class EqualConv2d(nn.Module):
    """Convolution of odd kernel size that keeps the side, with weights N(0, 1) that are scaled on use.

    So every weight has the same effective learning rate under Adam, whatever its layer's size (Karras et al. 2018,
    section 4.1).
    """

    def __init__(self, before: int, after: int, size: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, size, size))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / math.sqrt(before * size**2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding="same")


class EqualLinear(nn.Module):
    """Fully connected layer with weights N(0, 1) that are scaled on use."""

    def __init__(self, before: int, after: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / math.sqrt(before)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


def pixel_norm(x: Tensor) -> Tensor:
    """Scale the channel vector of each pixel, or each latent, to a root mean square of 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
