"""Draw latents, the generator's inputs, from the recipe's prior."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.spec.training import Latent


def draw_latent(latent: Latent, generator: torch.Generator, n: int, truncation: float | None = None) -> Tensor:
    """Draw latents [n, size], float32 on the CPU; `truncation` as in `draw_seeded_latents`, for all rows."""
    rows = torch.empty(n, latent.size)
    _fill(rows, latent, generator)
    if truncation is not None:
        _truncate(rows, latent, generator, truncation)
    return rows * latent.scale


def draw_seeded_latents(latent: Latent, seeds: Sequence[int], truncation: Sequence[float | None] = ()) -> Tensor:
    """Draw latents [n, size]; row i equals `draw_latent` of one row with seed i, whatever the other seeds are.

    `truncation` has for each row a threshold, in units of the prior's scale, or None: see `_truncate`.
    """
    rows, generator = torch.empty(len(seeds), latent.size), torch.Generator()
    for row, seed, threshold in zip(rows.unbind(), seeds, truncation or [None] * len(seeds), strict=True):
        generator.manual_seed(seed)
        _fill(row, latent, generator)
        if threshold is not None:
            _truncate(row, latent, generator, threshold)
    return rows * latent.scale


def _fill(numbers: Tensor, latent: Latent, generator: torch.Generator) -> None:
    """Draw all numbers of a tensor, without the prior's scale."""
    if latent.kind == "normal":
        numbers.normal_(generator=generator)
    else:
        numbers.uniform_(generator=generator).mul_(2).sub_(1)


def _truncate(numbers: Tensor, latent: Latent, generator: torch.Generator, threshold: float) -> None:
    """Draw the numbers beyond the threshold again until none is (the truncation trick of Brock et al. 2019).

    Each round draws as many numbers as there are, so that the result depends on the generator's seed and the threshold
    alone.
    """
    fresh = torch.empty_like(numbers)
    while (beyond := numbers.abs() > threshold).any():
        _fill(fresh, latent, generator)
        numbers[beyond] = fresh[beyond]


def cycling_labels(classes: int, n: int, device: torch.device | str = "cpu") -> Tensor | None:
    """Return labels 0, 1, ..., classes - 1, 0, ... [n]; None without classes."""
    return torch.arange(n, device=device) % classes if classes else None
