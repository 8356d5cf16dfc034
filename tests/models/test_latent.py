"""Latents that are drawn from seeds."""

import pytest
import torch

from models.latent import draw_latent, draw_seeded_latents
from models.spec.training import Latent

SEEDS = (7, 0, 2**63 - 1, 7)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("size", [1, 2, 16, 100])
def test_latent_of_a_seed_is_the_same_alone_and_in_a_batch(kind: str, size: int) -> None:
    latent = Latent.model_validate({"kind": kind, "size": size, "scale": 3})
    singles = [draw_latent(latent, torch.Generator().manual_seed(seed), 1) for seed in SEEDS]
    assert torch.equal(draw_seeded_latents(latent, SEEDS), torch.cat(singles))
