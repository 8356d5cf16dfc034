"""The latent prior: what a generator is fed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.spec.training import Latent


def draw_latent(latent: Latent, generator: torch.Generator, n: int) -> Tensor:
    """[n, size] float32 on the CPU, from the recipe's prior."""
    if latent.kind == "normal":
        return torch.randn(n, latent.size, generator=generator) * latent.scale
    return (torch.rand(n, latent.size, generator=generator) * 2 - 1) * latent.scale


def draw_latents(latent: Latent, seeds: Sequence[int]) -> Tensor:
    """[n, size]: row i is what `draw_latent` gives with a generator of seed i, whatever stands beside it."""
    rows, generator = torch.empty(len(seeds), latent.size), torch.Generator()
    for row, seed in zip(rows.unbind(), seeds, strict=True):
        generator.manual_seed(seed)
        if latent.kind == "normal":
            row.normal_(generator=generator)
        else:
            row.uniform_(generator=generator)
    return (rows if latent.kind == "normal" else rows * 2 - 1) * latent.scale


def cycling_labels(classes: int, n: int, device: torch.device | str = "cpu") -> Tensor | None:
    """0, 1, ..., classes - 1, 0, ... [n]; None without classes."""
    return torch.arange(n, device=device) % classes if classes else None
