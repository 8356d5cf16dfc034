"""Fully connected players, for the lectures' first GAN and for points in the plane."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers import activation
from models.spec.nets import MlpCritic as MlpCriticSpec
from models.spec.nets import MlpGenerator as MlpGeneratorSpec


class MlpGenerator(nn.Module):
    """z [n, latent] -> [n, *shape]; tanh for pictures, linear for points."""

    def __init__(self, spec: MlpGeneratorSpec, latent: int, shape: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = latent
        for hidden in spec.hidden:
            layers.append(nn.Linear(width, hidden))
            if spec.norm == "batch":
                layers.append(nn.BatchNorm1d(hidden))
            layers.append(activation(spec.activation))
            if spec.dropout:
                layers.append(nn.Dropout(spec.dropout))
            width = hidden
        layers.append(nn.Linear(width, math.prod(shape)))
        if len(shape) > 1:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        self.shape = tuple(shape)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        out: Tensor = self.layers(z)
        return out.view(-1, *self.shape)


class MlpCritic(nn.Module):
    """x [n, ...] -> one score each."""

    def __init__(self, spec: MlpCriticSpec, shape: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = math.prod(shape)
        for hidden in spec.hidden:
            layers += [nn.Linear(width, hidden), activation(spec.activation)]
            if spec.dropout:
                layers.append(nn.Dropout(spec.dropout))
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))
        self.input_scale = spec.input_scale

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        return Verdict(self.layers(x.flatten(1) * self.input_scale).squeeze(1))
