"""ProGAN's players: they grow from 4-7 px to the data's side while they train (Karras et al. 2018).

All layers exist from the start, and only those that the stage needs are run. Which stage it is follows from the step.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import Scheduled, enlarged, halved
from models.nets.layers.minibatch import batch_score
from models.spec.nets import ProgressiveCritic as ProgressiveCriticSpec
from models.spec.nets import ProgressiveGenerator as ProgressiveGeneratorSpec
from models.spec.nets import halvings, widths


def growth(progress: float, stages: int) -> tuple[int, float]:
    """(stage, how far its new layers have faded in): stages are equal shares of the budget, each fading in over half.

    >>> growth(0.0, 2), growth(0.5, 2), growth(0.625, 2), growth(1.0, 2)
    ((0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0))
    """
    stage = min(int(progress * stages), stages - 1)
    return stage, min(1.0, 2 * (progress * stages - stage)) if stage else 1.0


class ProgressiveGenerator(Scheduled):
    """z [n, latent] -> pictures [n, channels, side, side] in [-1, 1]: those of low stages are enlarged."""

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
        # The paper paints by 1x1; that to a single channel is rounded differently in batches of different sizes.
        self.paint = nn.ModuleList(EqualConv2d(width, channels, 3, gain=1) for width in wide)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        stage, fade = growth(self.progress, len(self.sides))
        x = self.first(pixel_norm(z)).view(len(z), -1, self.sides[0], self.sides[0])
        x = before = self._block(0, pixel_norm(F.leaky_relu(x, 0.2)))
        for number in range(1, stage + 1):
            before, x = x, self._block(number, enlarged(x, self.sides[number]))
        picture: Tensor = self.paint[stage](x)
        if fade < 1:
            picture = torch.lerp(enlarged(self.paint[stage - 1](before), self.sides[stage]), picture, fade)
        return enlarged(picture.tanh(), self.sides[-1])

    def _block(self, number: int, x: Tensor) -> Tensor:
        block = self.blocks[number]
        assert isinstance(block, nn.ModuleList)
        for convolve in block:
            x = pixel_norm(F.leaky_relu(convolve(x), 0.2))
        return x


class ProgressiveCritic(Scheduled):
    """Pictures [n, channels, side, side] -> one score each, of what they look like at the stage's side."""

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
        self.batch_score = batch_score(spec.minibatch, wide[0] * self.sides[0] ** 2)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        stage, fade = growth(self.progress, len(self.sides))
        for _ in self.sides[stage + 1 :]:
            x = halved(x)
        maps = self._read(stage, x)
        for number in range(stage, 0, -1):
            maps = halved(self.blocks[number](maps))
            if number == stage and fade < 1:
                maps = torch.lerp(self._read(stage - 1, halved(x)).to(maps.dtype), maps, fade)
        last = self.blocks[0](maps).flatten(1)
        features = F.leaky_relu(self.hidden(last), 0.2)
        score = self.score(features).squeeze(1)
        if self.batch_score is not None:
            score = score + self.batch_score(last)
        return Verdict(score, features=features)

    def _read(self, stage: int, x: Tensor) -> Tensor:
        return F.leaky_relu(self.read[stage](x), 0.2)


class EqualConv2d(nn.Module):
    """A convolution of odd size that keeps the side, its weights N(0, 1) and scaled when used.

    So every weight learns at the same pace under Adam, whatever its layer's size (Karras et al. 2018, section 4.1).
    """

    def __init__(self, before: int, after: int, size: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, size, size))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / math.sqrt(before * size**2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding="same")


class EqualLinear(nn.Module):
    """A fully connected layer of the same kind."""

    def __init__(self, before: int, after: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / math.sqrt(before)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


def pixel_norm(x: Tensor) -> Tensor:
    """Each place's vector, or each latent, at a root mean square of 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
