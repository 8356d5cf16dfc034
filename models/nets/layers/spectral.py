"""Spectral norm (Miyato et al. 2018): no layer stretches what it is given by more than 1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

FIRST_ITERATIONS = 15
SMALLEST = 1e-12


class SpectralNorm(nn.Module):
    """W -> W / s, with s the largest singular value of W as a matrix [out, all else], found by power iteration in fp32.

    Each forward goes one iteration on from `u`, the left singular vector, and training keeps where it came to. `u` is
    normalised on the way, so an average of several `u` serves as well as one. Tensors that stand in for the layer's
    own weights (torch.func.functional_call) are normalised too, and leave no trace.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix, u = weight.detach().flatten(1), torch.randn(len(weight))
        for _ in range(0 if weight.is_meta else FIRST_ITERATIONS):
            u, _ = _iterate(matrix, u)
        self.register_buffer("u", u)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            u, v = _iterate(matrix.detach(), self.u)
            if self.training and isinstance(weight, nn.Parameter):
                self.u.copy_(u)
            return weight / torch.dot(u, matrix @ v).clamp_min(SMALLEST)


def spectral(layer: nn.Conv2d | nn.Linear | nn.Embedding) -> None:
    """Put the layer's weight under the spectral norm. Initialise it before."""
    register_parametrization(layer, "weight", SpectralNorm(layer.weight), unsafe=True)


def hold(network: nn.Module) -> None:
    """Put every convolution and every fully connected layer inside under the spectral norm."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            spectral(layer)


@torch.no_grad()
def _iterate(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """One power iteration from u: the singular vectors (u, v), of length 1."""
    v = F.normalize(matrix.mT @ u, dim=0)
    return F.normalize(matrix @ v, dim=0), v
