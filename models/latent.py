"""The latent prior: what a generator is fed."""

import torch
from torch import Tensor

from models.spec.training import Latent


def draw_latent(latent: Latent, generator: torch.Generator, n: int) -> Tensor:
    """[n, size] float32 on the CPU, from the recipe's prior."""
    if latent.kind == "normal":
        return torch.randn(n, latent.size, generator=generator) * latent.scale
    return (torch.rand(n, latent.size, generator=generator) * 2 - 1) * latent.scale
