"""StackGAN's players: noise from the latent, two stages, and a first one that stays as it is."""

from typing import Any

import pytest
import torch

from models.nets.layers.common import set_progress
from models.nets.stacked import ConditioningAugmentation, StackedCritic, StackedGenerator
from models.spec import nets

LABELS = torch.tensor([0, 1, 2])


def generator(side: int = 8, **fields: Any) -> StackedGenerator:
    torch.manual_seed(1)
    return StackedGenerator(nets.StackedGenerator(width=4, condition=6, **fields), 16, side, 3, 5)


@pytest.mark.parametrize("side", [8, 9, 13, 28])
def test_players_fit_every_side_in_both_stages(side: int) -> None:
    made, critic = generator(side), StackedCritic(nets.StackedCritic(width=4), side, 3, 5, True)
    for progress in (0.0, 1.0):
        set_progress(made, progress)
        set_progress(critic, progress)
        pictures = made(torch.randn(3, 16), LABELS)
        assert pictures.shape == (3, 3, side, side)
        verdict = critic(pictures, LABELS)
        assert verdict.score.shape == (3,)
        assert verdict.classes.shape == (3, 5)


def test_a_picture_follows_from_latent_and_label_and_both_parts_of_the_latent_count() -> None:
    made = generator().eval()
    z = torch.randn(3, 16)
    assert torch.equal(made(z, LABELS), made(z, LABELS))
    for place in (0, 15):
        other = z.clone()
        other[:, place] += 3
        assert not torch.allclose(made(other, LABELS), made(z, LABELS))
    assert not torch.allclose(made(z, LABELS.flip(0))[0], made(z, LABELS)[0])


def test_the_second_stage_gives_the_first_no_slope() -> None:
    made = generator(first=0.5)
    stages = {"sketch": [made.sketch, made.conditions[0]], "redraw": [made.redraw, made.conditions[1]]}
    for progress, learning in ((0.4, "sketch"), (0.5, "redraw")):
        set_progress(made, progress)
        made.zero_grad(set_to_none=True)
        (made(torch.randn(3, 16), LABELS).sum() + sum(made.extra_losses(LABELS).values())).backward()
        for name, parts in stages.items():
            slopes = [weight.grad is not None for part in parts for weight in part.parameters()]
            assert all(slopes) if name == learning else not any(slopes)


def test_the_divergence_is_that_of_a_gaussian_from_the_standard_one() -> None:
    torch.manual_seed(1)
    condition = ConditioningAugmentation(5, 3)
    torch.nn.init.normal_(condition.log_variance.weight)
    own = torch.distributions.Normal(condition.mean(LABELS), (condition.log_variance(LABELS) / 2).exp())
    expected = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(condition.divergence(LABELS), expected)
    made = generator(divergence=0)
    assert made.extra_losses(LABELS) == {}
