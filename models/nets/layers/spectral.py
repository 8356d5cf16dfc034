"""Spectral norm (Miyato et al. 2018): weights are divided by their largest singular value."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

INITIAL_ITERATIONS = 15
EPSILON = 1e-12


class SpectralNorm(nn.Module):
    """W -> W / s, where s is the largest singular value of W as a matrix [out, rest], by power iteration in fp32.

    Each forward pass does one iteration from `u`, the left singular vector; training stores the result. The iteration
    normalises `u`, so an average of several `u` is a valid start too. Tensors that replace the layer's weights
    (torch.func.functional_call) are normalised without changing `u`.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix, u = weight.detach().flatten(1), torch.randn(len(weight))
        for _ in range(0 if weight.is_meta else INITIAL_ITERATIONS):
            u, _ = _iterate(matrix, u)
        self.register_buffer("u", u)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            u, v = _iterate(matrix.detach(), self.u)
            if self.training and isinstance(weight, nn.Parameter):
                self.u.copy_(u)
            return weight / torch.dot(u, matrix @ v).clamp_min(EPSILON)


def add_spectral_norm(layer: nn.Conv2d | nn.Linear | nn.Embedding) -> None:
    """Parametrise the layer's weight by its spectral norm. Initialise the weight before."""
    register_parametrization(layer, "weight", SpectralNorm(layer.weight), unsafe=True)


def add_spectral_norms(network: nn.Module) -> None:
    """Add the spectral norm to every convolution and fully connected layer inside."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            add_spectral_norm(layer)


@torch.no_grad()
def _iterate(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Do one power iteration from u; return the singular vectors (u, v), of length 1."""
    v = F.normalize(matrix.mT @ u, dim=0)
    return F.normalize(matrix @ v, dim=0), v
