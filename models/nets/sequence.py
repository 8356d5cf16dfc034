"""Players of strings: symbols that slopes pass through, by the Gumbel-softmax (Jang et al. 2017)."""

import torch
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import Scheduled
from models.spec.nets import SEQUENCE_WIDER
from models.spec.nets import SequenceCritic as SequenceCriticSpec
from models.spec.nets import SequenceGenerator as SequenceGeneratorSpec


class SequenceGenerator(Scheduled):
    """z [n, latent] -> [n, length, symbols]: soft symbols in training, whole ones (one-hot) in eval mode.

    A gated recurrent unit sees the code at each place, and the symbol that was chosen at the place before. The last
    length x symbols numbers of z, normal ones, become the Gumbel noise of the choices.
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
        symbol = code.new_zeros(len(code), self.symbols)
        string = []
        with torch.autocast(z.device.type, enabled=False):  # many small products: bf16 would gain nothing
            state = self.start(code).tanh()
            for own in gumbel(noise).view(-1, self.length, self.symbols).unbind(1):
                state = self.cell(torch.cat([code, symbol], 1), state)
                symbol = self._choice(self.end(state) + own)
                string.append(symbol)
        return torch.stack(string, 1)

    @property
    def temperature(self) -> float:
        """Falls in a line over the budget."""
        return self.spec.hot + (self.spec.cold - self.spec.hot) * self.progress

    def _choice(self, scores: Tensor) -> Tensor:
        if not self.training:
            return whole(scores)
        soft = (scores / self.temperature).softmax(-1)
        return whole(scores) + soft - soft.detach() if self.spec.hard else soft


class SequenceCritic(nn.Module):
    """Strings [n, length, symbols], soft or whole -> one score each."""

    def __init__(self, spec: SequenceCriticSpec, length: int, symbols: int) -> None:
        super().__init__()
        width = SEQUENCE_WIDER * spec.width
        layers: list[nn.Module] = [nn.Flatten()]
        for before in (length * symbols, width, width):
            layers += [nn.Linear(before, width), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(width, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        features = self.layers(x)
        return Verdict(self.score(features).squeeze(1), features=features)


def gumbel(normal: Tensor) -> Tensor:
    """Standard Gumbel numbers of standard normal ones, in their order: -log(-log Phi(x))."""
    logarithm: Tensor = torch.special.log_ndtr(normal.clamp(-8, 8))
    return -(-logarithm).log()


def whole(scores: Tensor) -> Tensor:
    """One-hot [..., symbols] of the largest."""
    chosen: Tensor = torch.zeros_like(scores).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 1.0)
    return chosen
