"""Fully connected generator and critic: the original GAN, points, and the conditional GAN (Mirza and Osindero 2014)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import activation
from models.nets.layers.critic_heads import HeadedCritic
from models.spec.nets import MlpCritic as MlpCriticSpec
from models.spec.nets import MlpGenerator as MlpGeneratorSpec


class MlpGenerator(nn.Module):
    """z [n, latent], label [n] when classes > 0 -> [n, *shape]; tanh for pictures, linear for points.

    The label is appended to the latent as a one-hot vector (Mirza and Osindero 2014).
    """

    def __init__(self, spec: MlpGeneratorSpec, latent: int, shape: Sequence[int], classes: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = latent + classes
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
        self.classes = classes

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        out: Tensor = self.layers(_append_one_hot(z, label, self.classes))
        return out.view(-1, *self.shape)


class MlpCritic(HeadedCritic):
    """x [n, ...] -> one score each.

    With classes and conditioning by concatenation the label is appended to the input as a one-hot vector. With
    `names_classes` the verdict also holds class logits [n, classes].
    """

    def __init__(
        self, spec: MlpCriticSpec, shape: Sequence[int], classes: int = 0, names_classes: bool = False
    ) -> None:
        super().__init__()
        self.classes = classes if spec.conditioning == "concatenation" else 0
        layers: list[nn.Module] = []
        width = math.prod(shape) + self.classes
        for hidden in spec.hidden:
            layers += [nn.Linear(width, hidden), activation(spec.activation)]
            if spec.dropout:
                layers.append(nn.Dropout(spec.dropout))
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))
        self.add_heads(width, spec.minibatch, projected=0, named=classes if names_classes else 0)
        self.input_scale = spec.input_scale

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        *hidden, last = self.layers
        features = _append_one_hot(x.flatten(1) * self.input_scale, label, self.classes)
        for layer in hidden:
            features = layer(features)
        return self.verdict(last(features).squeeze(1), features, label)


def _append_one_hot(x: Tensor, label: Tensor | None, classes: int) -> Tensor:
    """Append the labels [n], or weights of classes [n, classes], to x: [n, f] -> [n, f + classes].

    Raises ValueError if labels are missing.
    """
    if not classes:
        return x
    if label is None:
        raise ValueError("This network was built for a conditional game: pass labels.")
    weights = label if label.is_floating_point() else F.one_hot(label, classes)
    return torch.cat([x, weights.to(x.dtype)], 1)
