"""Residual players for any square side from 8 px: SNGAN's, SAGAN's, BigGAN's, and without any norm R3GAN's.

Miyato et al. 2018; Zhang et al. 2018; Brock et al. 2019; Huang et al. 2024.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.attention import SelfAttention
from models.nets.layers.common import ConditionalBatchNorm2d, enlarged, halved, normalised
from models.nets.layers.critic_heads import HeadedCritic
from models.nets.layers.spectral import hold
from models.spec.nets import CLASS_EMBEDDING, halvings, widths
from models.spec.nets import ResidualCritic as ResidualCriticSpec
from models.spec.nets import ResidualGenerator as ResidualGeneratorSpec


class ResidualGenerator(nn.Module):
    """z [n, latent], label [n] when classes > 0 -> pictures [n, channels, side, side] in [-1, 1].

    A hierarchical one cuts z into as many shares as it has blocks and one more, which draws the smallest map.
    """

    def __init__(self, spec: ResidualGeneratorSpec, latent: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(spec.width, self.sides)
        steps = len(self.sides) - 1
        shares = [(latent + place) // (steps + 1) for place in reversed(range(steps + 1))]
        self.shares = shares if spec.hierarchical else None
        self.embed = nn.Embedding(classes, CLASS_EMBEDDING) if spec.hierarchical else None
        self.first = nn.Linear(shares[0] if spec.hierarchical else latent, wide[0] * self.sides[0] ** 2)
        norms = [_Norms(spec.norm, classes, CLASS_EMBEDDING + share if spec.hierarchical else 0) for share in shares]
        self.blocks = nn.ModuleList(
            UpBlock(wide[i], wide[i + 1], self.sides[i + 1], norms[i + 1]) for i in range(steps)
        )
        self.attention = SelfAttention(wide[-2]) if spec.attention else None
        self.last_norm = _Norms(spec.norm, 0, 0).of(wide[-1])
        self.paint = nn.Conv2d(wide[-1], channels, 3, padding=1)
        _initialise(self, scaled_down=spec.norm == "none")
        if spec.spectral:
            hold(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        z, conditions = self._conditions(z, label)
        x = self.first(z).view(len(z), -1, self.sides[0], self.sides[0])
        for number, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True), start=1):
            if number == len(self.blocks) and self.attention is not None:
                x = self.attention(x)
            x = block(x, condition)
        painted: Tensor = self.paint(self.last_norm(x).relu())
        return painted.tanh()

    def _conditions(self, z: Tensor, label: Tensor | None) -> tuple[Tensor, list[Tensor | None]]:
        """What draws the smallest map, and what each block is told."""
        if self.shares is None or self.embed is None:
            return z, [label] * len(self.blocks)
        z, *shares = torch.split(z, self.shares, dim=1)
        return z, [torch.cat([self.embed(label), share], 1) for share in shares]


class ResidualCritic(HeadedCritic):
    """Pictures [n, channels, side, side] -> one score each.

    The paper sums the last map over its places. Here each place keeps weights of its own: of two class-conditional
    critics under the spectral norm (DCGAN's layers, MNIST, some 600 steps) the one that pooled its map left .29 of the
    spread within a class, and the other .89. This network was not tried with a sum.

    With classes and conditioning by projection the score adds the features times the label's own weights (Miyato and
    Koyama 2018); with `names_classes` the verdict also holds class logits [n, classes].
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
    """Makes the norms of one block: fed by a vector of so many numbers, told one of so many classes, plain, or none."""

    def __init__(self, kind: str, classes: int, fed: int) -> None:
        self.kind, self.classes, self.fed = kind, classes, fed

    def of(self, channels: int) -> nn.Module:
        if self.kind == "none":
            return nn.Identity()
        if self.fed:
            return FedBatchNorm2d(channels, self.fed)
        return ConditionalBatchNorm2d(channels, self.classes) if self.classes else nn.BatchNorm2d(channels)


class UpBlock(nn.Module):
    """Maps at one side -> those at the next: norm, ReLU, enlarge, convolve, norm, ReLU, convolve; and a bridge."""

    def __init__(self, before: int, after: int, side: int, norms: _Norms) -> None:
        super().__init__()
        self.side = side
        self.norms = nn.ModuleList([norms.of(before), norms.of(after)])
        self.convolve = nn.Conv2d(before, after, 3, padding=1)
        self.last = nn.Conv2d(after, after, 3, padding=1)
        self.bridge = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        first, second = self.norms
        way = self.convolve(enlarged(normalised(first, x, condition).relu(), self.side))
        way = self.last(normalised(second, way, condition).relu())
        out: Tensor = way + enlarged(self.bridge(x), self.side)
        return out


class DownBlock(nn.Module):
    """Maps at one side -> maps at half of it, rounded up: two convolutions beside a bridge."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(before, before, 3, padding=1)
        self.last = nn.Conv2d(before, after, 3, padding=1)
        self.bridge = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        way = self.convolve(F.leaky_relu(x, 0.2))
        way = self.last(F.leaky_relu(way, 0.2))
        out: Tensor = halved(way) + self.bridge(halved(x))
        return out


class FedBatchNorm2d(nn.Module):
    """BatchNorm whose gain and bias are a linear function of a vector [n, size] (Brock et al. 2019)."""

    listens = True

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(size, channels, bias=False)
        self.bias = nn.Linear(size, channels, bias=False)

    def forward(self, x: Tensor, fed: Tensor) -> Tensor:
        gain, bias = 1 + self.gain(fed)[..., None, None], self.bias(fed)[..., None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def _initialise(network: nn.Module, scaled_down: bool) -> None:
    """Orthogonal weights (Brock et al. 2019) that keep the spread behind a ReLU.

    Without norms each block begins as its bridge alone, and its other convolution is smaller the more blocks there
    are, so that no depth explodes (Zhang et al. 2019, "Fixup": rules 1 and 2 for two layers a block).
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
