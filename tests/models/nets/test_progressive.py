"""ProGAN's players: stages follow from the progress, fade in continuously, and use only the layers they need."""

import pytest
import torch
from torch import Tensor

from models.nets.layers.common import set_training_progress
from models.nets.progressive import (
    EqualConv2d,
    EqualLinear,
    ProgressiveCritic,
    ProgressiveGenerator,
    growth,
    pixel_norm,
)
from models.spec import nets


def players(side: int = 16) -> tuple[ProgressiveGenerator, ProgressiveCritic]:
    torch.manual_seed(1)
    generator = ProgressiveGenerator(nets.ProgressiveGenerator(width=4), 10, side, 3)
    return generator, ProgressiveCritic(nets.ProgressiveCritic(width=4), side, 3)


def output_at(network: torch.nn.Module, progress: float, x: Tensor) -> Tensor:
    """Return the pictures or scores of a network at this progress."""
    set_training_progress(network, progress)
    out = network(x)
    return out if isinstance(out, Tensor) else out.score


def test_stages_are_equal_shares_and_fade_in_over_their_first_half() -> None:
    progresses = [0.0, 0.3, 1 / 3, 0.4, 0.5, 0.65, 2 / 3, 0.75, 1.0]
    stages = [growth(progress, 3) for progress in progresses]
    assert [stage for stage, _ in stages] == [0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert [round(fade, 3) for _, fade in stages] == [1, 1, 0, 0.4, 1, 1, 0, 0.5, 1]


@pytest.mark.parametrize("side", [8, 9, 13, 28, 30])
def test_players_fit_every_side_at_every_stage(side: int) -> None:
    generator, critic = players(side)
    for progress in (0.0, 0.5, 0.7, 1.0):
        pictures = output_at(generator, progress, torch.randn(2, 10))
        assert pictures.shape == (2, 3, side, side)
        assert pictures.abs().max() <= 1
        assert output_at(critic, progress, pictures).shape == (2,)


def test_output_is_continuous_when_a_stage_begins_or_has_faded_in() -> None:
    generator, critic = players()
    z, x = torch.randn(2, 10), torch.randn(2, 3, 16, 16)
    for progress in (1 / 3, 0.5, 2 / 3, 5 / 6):
        for network, network_input in ((generator, z), (critic, x)):
            before, after = (output_at(network, progress + step, network_input) for step in (-1e-6, 1e-6))
            torch.testing.assert_close(before, after, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(output_at(generator, 0.3, z), output_at(generator, 1.0, z), atol=1e-2)


def test_early_stages_use_large_pixels_and_give_later_layers_no_gradient() -> None:
    generator, critic = players()
    pictures = output_at(generator, 0.2, torch.randn(2, 10))
    blocks = pictures.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    assert torch.equal(blocks, blocks[..., :1].expand_as(blocks))
    torch.autograd.backward(output_at(critic, 0.2, pictures).sum())
    for network, stages in ((generator.blocks, 3), (critic.blocks, 3)):
        used = [any(weight.grad is not None for weight in network[stage].parameters()) for stage in range(stages)]
        assert used == [True, False, False]


def test_equalised_layers_and_pixel_norm_keep_unit_variance() -> None:
    torch.manual_seed(1)
    for width in (4, 64):
        linear, convolution = EqualLinear(width, 256, gain=1), EqualConv2d(width, 256, 3, gain=1)
        assert 0.9 < linear(torch.randn(256, width)).std() < 1.1
        assert 0.8 < convolution(torch.randn(4, width, 16, 16)).std() < 1.1
        assert 0.9 < linear.weight.std() < 1.1
    assert torch.allclose(pixel_norm(torch.randn(2, 8, 3, 3)).square().mean(1), torch.ones(2, 3, 3), atol=1e-4)
