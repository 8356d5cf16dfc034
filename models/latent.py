"""Draw latents, the generator's inputs, from the recipe's prior."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.spec.training import Latent


def draw_latent(latent: Latent, generator: torch.Generator, n: int) -> Tensor:
    """Draw latents [n, size], float32 on the CPU."""
    if latent.kind == "normal":
        return torch.randn(n, latent.size, generator=generator) * latent.scale
    return (torch.rand(n, latent.size, generator=generator) * 2 - 1) * latent.scale


def draw_seeded_latents(latent: Latent, seeds: Sequence[int]) -> Tensor:
    """Draw latents [n, size]; row i equals `draw_latent` of one row with seed i, whatever the other seeds are."""
    rows, generator = torch.empty(len(seeds), latent.size), torch.Generator()
    for row, seed in zip(rows.unbind(), seeds, strict=True):
        generator.manual_seed(seed)
        if latent.kind == "normal":
            row.normal_(generator=generator)
        else:
            row.uniform_(generator=generator)
    return (rows if latent.kind == "normal" else rows * 2 - 1) * latent.scale


def cycling_labels(classes: int, n: int, device: torch.device | str = "cpu") -> Tensor | None:
    """Return labels 0, 1, ..., classes - 1, 0, ... [n]; None without classes."""
    return torch.arange(n, device=device) % classes if classes else None
