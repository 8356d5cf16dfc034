"""Generators whose examples are known, to be evaluated in place of trained ones."""

import torch
from torch import Tensor, nn

from data.readers.builtin import Data


class Untrainable(nn.Module):
    """A network with one weight that it does not use, since a generator must have a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))


class IdentityGenerator(Untrainable):
    """Translates each picture into itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class NonFiniteGenerator(Untrainable):
    """Draws points that are not finite."""

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return torch.full((len(z), 2), torch.nan)


class ReplayingGenerator(Untrainable):
    """Draws the given pictures uint8 [n, c, s, s] one after another."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__()
        self.pictures, self.position = pictures, 0

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        drawn = self.pictures[self.position : self.position + len(z)]
        self.position += len(z)
        return drawn.float() / 127.5 - 1


class RealDigits(Untrainable):
    """Draws real digits of the requested class; the latent selects one of the first `per_class` of that class."""

    def __init__(self, data: Data, per_class: int) -> None:
        super().__init__()
        self.data, self.per_class = data, per_class

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        assert self.data.images is not None
        assert self.data.labels is not None
        picks = (z[:, 0].abs() * 1e6).long() % self.per_class
        members = [torch.nonzero(self.data.labels == number)[:, 0] for number in range(10)]
        rows = torch.stack([members[int(number)][pick] for number, pick in zip(label, picks, strict=True)])
        return self.data.images[rows].float() / 127.5 - 1


class StackedRealDigits(Untrainable):
    """Draws three real digits, one in each channel; the first is always a seven."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        assert data.images is not None
        assert data.labels is not None
        self.sevens, self.all = data.images[data.labels == 7], data.images

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        picks = (z[:, :3].abs() * 1e6).long()
        layers = [self.sevens[picks[:, 0] % len(self.sevens)]]
        layers += [self.all[picks[:, channel] % len(self.all)] for channel in (1, 2)]
        return torch.cat(layers, dim=1).float() / 127.5 - 1
