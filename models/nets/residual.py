"""Residual generator and critic for any square side from 8 px: SNGAN, SAGAN, BigGAN, and without norms R3GAN.

Miyato et al. 2018; Zhang et al. 2018; Brock et al. 2019; Huang et al. 2024.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.attention import SelfAttention
from models.nets.layers.common import ConditionalBatchNorm2d, apply_norm, downsample, look_up, upsample
from models.nets.layers.critic_heads import HeadedCritic
from models.nets.layers.spectral import add_spectral_norms
from models.spec.nets import CLASS_EMBEDDING, halvings, widths
from models.spec.nets import ResidualCritic as ResidualCriticSpec
from models.spec.nets import ResidualGenerator as ResidualGeneratorSpec


class ResidualGenerator(nn.Module):
    """z [n, latent], label [n] when classes > 0 -> pictures [n, channels, side, side] in [-1, 1].

    A hierarchical one splits z into chunks: the first becomes the smallest map, each other one conditions a block.
    """

    def __init__(self, spec: ResidualGeneratorSpec, latent: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(spec.width, self.sides)
        steps = len(self.sides) - 1
        chunks = [(latent + index) // (steps + 1) for index in reversed(range(steps + 1))]
        self.chunks = chunks if spec.hierarchical else None
        self.embed = nn.Embedding(classes, CLASS_EMBEDDING) if spec.hierarchical else None
        self.first = nn.Linear(chunks[0] if spec.hierarchical else latent, wide[0] * self.sides[0] ** 2)
        norms = [_Norms(spec.norm, classes, CLASS_EMBEDDING + chunk if spec.hierarchical else 0) for chunk in chunks]
        self.blocks = nn.ModuleList(
            UpBlock(wide[i], wide[i + 1], self.sides[i + 1], norms[i + 1]) for i in range(steps)
        )
        self.attention = SelfAttention(wide[-2]) if spec.attention else None
        self.last_norm = _Norms(spec.norm, 0, 0).build(wide[-1])
        self.paint = nn.Conv2d(wide[-1], channels, 3, padding=1)
        _initialise(self, scaled_down=spec.norm == "none")
        if spec.spectral:
            add_spectral_norms(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        z, conditions = self._conditions(z, label)
        x = self.first(z).unflatten(1, (-1, self.sides[0], self.sides[0]))
        for number, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True), start=1):
            if number == len(self.blocks) and self.attention is not None:
                x = self.attention(x)
            x = block(x, condition)
        painted: Tensor = self.paint(self.last_norm(x).relu())
        return painted.tanh()

    def _conditions(self, z: Tensor, label: Tensor | None) -> tuple[Tensor, list[Tensor | None]]:
        """Return the latent of the smallest map, and the condition of each block."""
        if self.chunks is None or self.embed is None:
            return z, [label] * len(self.blocks)
        if label is None:
            raise ValueError("This network was built for a conditional game: pass labels.")
        z, *chunks = torch.split(z, self.chunks, dim=1)
        return z, [torch.cat([look_up(self.embed, label), chunk], 1) for chunk in chunks]


class ResidualCritic(HeadedCritic):
    """Pictures [n, channels, side, side] -> one score each.

    The paper sums the last map over its pixels. Here each pixel has separate weights: of two class-conditional critics
    with spectral norm (DCGAN's layers, MNIST, some 600 steps) the one that pooled its map kept .29 of the variety
    within a class, and the other .89. This network was not tried with a sum.

    With classes and conditioning by projection, the inner product of features and the label's embedding is added to
    the score (Miyato and Koyama 2018). With `names_classes` the verdict also holds class logits [n, classes].
    """

    def __init__(self, spec: ResidualCriticSpec, side: int, channels: int, classes: int, names_classes: bool) -> None:
        super().__init__()
        wide = widths(spec.width, halvings(side))[::-1]
        self.stem = nn.Conv2d(channels, wide[0], 3, padding=1)
        self.blocks = nn.ModuleList(DownBlock(before, after) for before, after in pairwise(wide))
        self.attention = SelfAttention(wide[1]) if spec.attention else None
        features = wide[-1] * halvings(side)[0] ** 2
        self.score = nn.Linear(features, 1)
        projected = classes if spec.conditioning == "projection" else 0
        self.add_heads(features, spec.minibatch, projected, classes if names_classes else 0)
        _initialise(self, scaled_down=spec.norm == "none")
        self.finish(spec.norm)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        x = self.stem(x)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == 0 and self.attention is not None:
                x = self.attention(x)
        features = F.leaky_relu(x, 0.2).flatten(1)
        return self.verdict(self.score(features).squeeze(1), features, label)


class _Norms:
    """Factory of one block's norms: conditioned on a vector or on a class, unconditional, or none."""

    def __init__(self, kind: str, classes: int, condition_size: int) -> None:
        self.kind, self.classes, self.condition_size = kind, classes, condition_size

    def build(self, channels: int) -> nn.Module:
        if self.kind == "none":
            return nn.Identity()
        if self.condition_size:
            return VectorBatchNorm2d(channels, self.condition_size)
        return ConditionalBatchNorm2d(channels, self.classes) if self.classes else nn.BatchNorm2d(channels)


class UpBlock(nn.Module):
    """Residual block to a larger side: norm, ReLU, upsample, convolve, norm, ReLU, convolve; and a shortcut."""

    def __init__(self, before: int, after: int, side: int, norms: _Norms) -> None:
        super().__init__()
        self.side = side
        self.norms = nn.ModuleList([norms.build(before), norms.build(after)])
        self.convolve = nn.Conv2d(before, after, 3, padding=1)
        self.last = nn.Conv2d(after, after, 3, padding=1)
        self.bridge = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        first, second = self.norms
        hidden = self.convolve(upsample(apply_norm(first, x, condition).relu(), self.side))
        hidden = self.last(apply_norm(second, hidden, condition).relu())
        out: Tensor = hidden + upsample(self.bridge(x), self.side)
        return out


class DownBlock(nn.Module):
    """Residual block to half the side, rounded up: two convolutions and a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(before, before, 3, padding=1)
        self.last = nn.Conv2d(before, after, 3, padding=1)
        self.bridge = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.convolve(F.leaky_relu(x, 0.2))
        hidden = self.last(F.leaky_relu(hidden, 0.2))
        out: Tensor = downsample(hidden) + self.bridge(downsample(x))
        return out


class VectorBatchNorm2d(nn.Module):
    """Conditional BatchNorm: gain and bias are a linear function of a vector [n, size] (Brock et al. 2019)."""

    conditional = True

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(size, channels, bias=False)
        self.bias = nn.Linear(size, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain, bias = 1 + self.gain(condition)[..., None, None], self.bias(condition)[..., None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def _initialise(network: nn.Module, scaled_down: bool) -> None:
    """Initialise orthogonal weights that preserve the variance behind a ReLU (Brock et al. 2019).

    Without norms each block starts as its shortcut alone, and its first convolution is scaled down with the number of
    blocks, so that activations stay bounded at any depth (Zhang et al. 2019, "Fixup": rules 1 and 2 for two layers a
    block).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(module.weight, 2**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    blocks = [module for module in network.modules() if isinstance(module, UpBlock | DownBlock)]
    for block in blocks:
        if isinstance(block.bridge, nn.Conv2d):
            nn.init.orthogonal_(block.bridge.weight)
        if scaled_down:
            nn.init.zeros_(block.last.weight)
            with torch.no_grad():
                block.convolve.weight.mul_(len(blocks) ** -0.5)
