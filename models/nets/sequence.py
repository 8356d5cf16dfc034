"""Players of strings: symbols that slopes pass through, by the Gumbel-softmax (Jang et al. 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.schedule import Scheduled
from models.spec.nets import SequenceCritic as SequenceCriticSpec
from models.spec.nets import SequenceGenerator as SequenceGeneratorSpec

DILATIONS = (1, 2, 4)
"""of the blocks' first convolutions: together the blocks see 21 places"""


class SequenceGenerator(Scheduled):
    """z [n, latent] -> [n, length, symbols]: soft symbols in training, whole ones (one-hot) in eval mode.

    The last length x symbols numbers of z, normal ones, become Gumbel noise by the normal distribution function.
    """

    def __init__(self, spec: SequenceGeneratorSpec, latent: int, length: int, symbols: int) -> None:
        super().__init__()
        self.spec, self.length, self.symbols = spec, length, symbols
        self.noise = length * symbols
        width = spec.width
        self.start = nn.Linear(latent - self.noise, width * length)
        self.blocks = nn.Sequential(*[ResidualBlock(width, dilation, norm=True) for dilation in DILATIONS])
        self.end = nn.Conv1d(width, symbols, 1)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        code, noise = z[:, : -self.noise], z[:, -self.noise :]
        maps = self.start(code).view(len(z), self.spec.width, self.length)
        logits = self.end(self.blocks(maps)).transpose(1, 2).float()
        scores = logits + gumbel(noise).view(len(z), self.length, self.symbols)
        if not self.training:
            return whole(scores)
        soft = (scores / self.temperature).softmax(dim=2)
        return whole(scores) + soft - soft.detach() if self.spec.hard else soft

    @property
    def temperature(self) -> float:
        """Falls in a line over the budget."""
        return self.spec.hot + (self.spec.cold - self.spec.hot) * self.progress


class SequenceCritic(nn.Module):
    """Strings [n, length, symbols], soft or whole -> one score each."""

    def __init__(self, spec: SequenceCriticSpec, length: int, symbols: int) -> None:
        super().__init__()
        width = spec.width
        self.start = nn.Conv1d(symbols, width, 1)
        self.blocks = nn.Sequential(*[ResidualBlock(width, dilation, norm=False) for dilation in DILATIONS])
        self.last = nn.Linear(width * length, 4 * width)
        self.score = nn.Linear(4 * width, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        maps = self.blocks(self.start(x.transpose(1, 2)))
        features = F.leaky_relu(self.last(F.leaky_relu(maps, 0.2).flatten(1)), 0.2)
        return Verdict(self.score(features).squeeze(1), features=features)


class ResidualBlock(nn.Module):
    """Two convolutions along the string beside a straight way."""

    def __init__(self, width: int, dilation: int, *, norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for reach in (dilation, 1):
            layers += [nn.BatchNorm1d(width)] if norm else []
            layers += [nn.LeakyReLU(0.2), nn.Conv1d(width, width, 3, padding=reach, dilation=reach)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


def gumbel(normal: Tensor) -> Tensor:
    """Standard Gumbel numbers of standard normal ones: -log(-log Phi(x)), in order."""
    return -(-torch.special.log_ndtr(normal.float().clamp(-8, 8))).log()


def whole(scores: Tensor) -> Tensor:
    """One-hot [..., symbols] of the largest."""
    return F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).to(scores.dtype)
