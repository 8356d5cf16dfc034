"""Latents that are drawn from seeds."""

import pytest
import torch

from models.latent import draw_latent, draw_seeded_latents
from models.spec.training import MIN_TRUNCATION, Latent

NORMAL = Latent(size=500, scale=3)
SEEDS = (7, 0, 2**63 - 1, 7)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("size", [1, 2, 16, 100])
def test_latent_of_a_seed_is_the_same_alone_and_in_a_batch(kind: str, size: int) -> None:
    latent = Latent.model_validate({"kind": kind, "size": size, "scale": 3})
    singles = [draw_latent(latent, torch.Generator().manual_seed(seed), 1) for seed in SEEDS]
    assert torch.equal(draw_seeded_latents(latent, SEEDS), torch.cat(singles))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_truncation_draws_again_only_the_numbers_beyond_it(kind: str) -> None:
    latent = Latent.model_validate({"kind": kind, "size": 500, "scale": 3})
    plain = draw_seeded_latents(latent, SEEDS)
    truncated = draw_seeded_latents(latent, SEEDS, [0.5, 0.5, 0.5, None])
    within = plain.abs() <= 1.5
    assert truncated[:3].abs().max() <= 1.5
    assert torch.equal(truncated[:3][within[:3]], plain[:3][within[:3]])
    assert torch.equal(truncated[3], plain[3])
    assert torch.equal(draw_seeded_latents(latent, SEEDS[1:2], [0.5])[0], truncated[1])


def test_truncated_normal_has_the_deviation_of_its_distribution() -> None:
    drawn = draw_seeded_latents(NORMAL, range(200), [1.0] * 200) / NORMAL.scale
    # sqrt(1 - 2 phi(1) / (2 Phi(1) - 1)) = .5396
    assert drawn.std().item() == pytest.approx(0.5396, abs=0.005)
    assert drawn.mean().item() == pytest.approx(0, abs=0.01)
    assert draw_seeded_latents(NORMAL, [1], [MIN_TRUNCATION]).abs().max() <= MIN_TRUNCATION * NORMAL.scale
