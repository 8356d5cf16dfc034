"""StackGAN's players: noise from the latent, two stages, and a first stage that the second leaves frozen."""

from typing import Any

import pytest
import torch

from models.nets.layers.common import set_training_progress
from models.nets.stacked import ConditioningAugmentation, StackedCritic, StackedGenerator
from models.spec import nets

LABELS = torch.tensor([0, 1, 2])


def generator(side: int = 8, **fields: Any) -> StackedGenerator:
    torch.manual_seed(1)
    return StackedGenerator(nets.StackedGenerator(width=4, condition=6, **fields), 16, side, 3, 5)


@pytest.mark.parametrize("side", [8, 9, 13, 28])
def test_players_fit_every_side_in_both_stages(side: int) -> None:
    network, critic = generator(side), StackedCritic(nets.StackedCritic(width=4), side, 3, 5, True)
    for progress in (0.0, 1.0):
        set_training_progress(network, progress)
        set_training_progress(critic, progress)
        pictures = network(torch.randn(3, 16), LABELS)
        assert pictures.shape == (3, 3, side, side)
        verdict = critic(pictures, LABELS)
        assert verdict.score.shape == (3,)
        assert verdict.classes.shape == (3, 5)


def test_picture_depends_on_the_label_and_on_both_parts_of_the_latent() -> None:
    network = generator().eval()
    z = torch.randn(3, 16)
    assert torch.equal(network(z, LABELS), network(z, LABELS))
    for index in (0, 15):
        other = z.clone()
        other[:, index] += 3
        assert not torch.allclose(network(other, LABELS), network(z, LABELS))
    assert not torch.allclose(network(z, LABELS.flip(0))[0], network(z, LABELS)[0])


def test_second_stage_gives_the_first_no_gradient() -> None:
    network = generator(first=0.5)
    stages = {"sketch": [network.sketch, network.conditions[0]], "redraw": [network.redraw, network.conditions[1]]}
    for progress, trained in ((0.4, "sketch"), (0.5, "redraw")):
        set_training_progress(network, progress)
        network.zero_grad(set_to_none=True)
        (network(torch.randn(3, 16), LABELS).sum() + sum(network.extra_losses(LABELS).values())).backward()
        for name, parts in stages.items():
            has_gradient = [weight.grad is not None for part in parts for weight in part.parameters()]
            assert all(has_gradient) if name == trained else not any(has_gradient)


def test_divergence_is_that_of_a_gaussian_from_the_standard_normal() -> None:
    torch.manual_seed(1)
    condition = ConditioningAugmentation(5, 3)
    torch.nn.init.normal_(condition.log_variance.weight)
    gaussian = torch.distributions.Normal(condition.mean(LABELS), (condition.log_variance(LABELS) / 2).exp())
    expected = torch.distributions.kl_divergence(gaussian, torch.distributions.Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(condition.divergence(LABELS), expected)
    network = generator(divergence=0)
    assert network.extra_losses(LABELS) == {}
