"""Generator and critic of strings: symbols are sampled differentiably by Gumbel-softmax (Jang et al. 2017)."""

import torch
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import Scheduled
from models.spec.nets import SEQUENCE_CRITIC_WIDENING
from models.spec.nets import SequenceCritic as SequenceCriticSpec
from models.spec.nets import SequenceGenerator as SequenceGeneratorSpec


class SequenceGenerator(Scheduled):
    """z [n, latent] -> strings [n, length, symbols]: soft symbols in training, one-hot symbols in eval mode.

    At each position a gated recurrent unit reads the code and the previous symbol. The last length x symbols numbers
    of z, standard normal, become the Gumbel noise of the choices.
    """

    def __init__(self, spec: SequenceGeneratorSpec, latent: int, length: int, symbols: int) -> None:
        super().__init__()
        self.spec, self.length, self.symbols = spec, length, symbols
        self.noise = length * symbols
        code = latent - self.noise
        self.start = nn.Linear(code, spec.width)
        self.cell = nn.GRUCell(code + symbols, spec.width)
        self.end = nn.Linear(spec.width, symbols)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        code, noise = z[:, : -self.noise].float(), z[:, -self.noise :].float()
        symbol = code.new_zeros(code.shape[0], self.symbols)
        string = []
        # Many small products gain nothing from bf16.
        with torch.autocast(z.device.type, enabled=False):
            state = self.start(code).tanh()
            for gumbel_noise in gumbel(noise).view(z.shape[0], self.length, self.symbols).unbind(1):
                state = self.cell(torch.cat([code, symbol], 1), state)
                symbol = self._choice(self.end(state) + gumbel_noise)
                string.append(symbol)
        return torch.stack(string, 1)

    @property
    def temperature(self) -> float:
        """The softmax temperature; it falls linearly over the budget."""
        return self.spec.hot + (self.spec.cold - self.spec.hot) * self.progress

    def _choice(self, scores: Tensor) -> Tensor:
        if not self.training:
            return one_hot_argmax(scores)
        soft = (scores / self.temperature).softmax(-1)
        return one_hot_argmax(scores) + soft - soft.detach() if self.spec.hard else soft


class SequenceCritic(nn.Module):
    """Strings [n, length, symbols], soft or one-hot -> one score each."""

    def __init__(self, spec: SequenceCriticSpec, length: int, symbols: int) -> None:
        super().__init__()
        width = SEQUENCE_CRITIC_WIDENING * spec.width
        layers: list[nn.Module] = [nn.Flatten()]
        for before in (length * symbols, width, width):
            layers += [nn.Linear(before, width), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(width, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        features = self.layers(x)
        return Verdict(self.score(features).squeeze(1), features=features)


def gumbel(normal: Tensor) -> Tensor:
    """Turn standard normal numbers into standard Gumbel numbers in the same order: -log(-log Phi(x))."""
    logarithm: Tensor = torch.special.log_ndtr(normal.clamp(-8, 8))
    return -(-logarithm).log()


def one_hot_argmax(scores: Tensor) -> Tensor:
    """Return the one-hot encoding [..., symbols] of the largest score."""
    one_hot: Tensor = torch.zeros_like(scores).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 1.0)
    return one_hot
