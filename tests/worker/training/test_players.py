"""Players, learning rate schedules and the weight average, against values worked out by hand."""

import itertools
import math

import pytest
import torch
from torch import nn

from models.spec.training import Adam, Constant, Cosine, Linear, RmsProp, Sgd
from worker.training.players import Average, Player, build_optimizer, rate_factor


def test_schedules_give_their_rate_factors() -> None:
    assert rate_factor(Constant(), 70, 100) == 1
    assert [rate_factor(Linear(flat=0.5), step, 100) for step in (0, 50, 75, 100)] == [1, 1, 0.5, 0]
    assert rate_factor(Cosine(), 0, 100) == 1
    assert rate_factor(Cosine(floor=0.2), 50, 100) == pytest.approx(0.6)
    assert rate_factor(Cosine(floor=0.2), 100, 100) == pytest.approx(0.2)


def test_update_descends_the_summed_losses_at_the_scaled_rate_and_clips_weights() -> None:
    layer = nn.Linear(2, 1, bias=False)
    nn.init.constant_(layer.weight, 0.5)
    player = Player(layer, build_optimizer(Sgd(rate=0.1, momentum=0), layer.parameters()), rate=0.1, clip=0.48)
    x = torch.tensor([[1.0, -1.0]])
    player.backward({"one": layer(x).sum(), "two": 2 * layer(x).sum()})
    player.scale_rate(0.5)
    player.update()
    torch.testing.assert_close(layer.weight.data, torch.tensor([[0.35, 0.48]]))  # 0.5 - .05 * 3, and clip(0.65)


@pytest.mark.parametrize("spec", [Adam(rate=0.1), RmsProp(rate=0.1), Sgd(rate=0.1)])
def test_optimizer_step_lowers_the_weight(spec: Adam | RmsProp | Sgd) -> None:
    layer = nn.Linear(1, 1, bias=False)
    player = Player(layer, build_optimizer(spec, layer.parameters()), spec.rate)
    before = layer.weight.item()
    player.backward({"height": layer(torch.ones(1, 1)).sum()})
    player.update()
    assert layer.weight.item() < before


def test_average_decay_warms_up_and_running_statistics_are_averaged() -> None:
    network = nn.BatchNorm1d(1)
    average = Average(network, decay=0.9)
    decays = []
    for step in range(100):
        with torch.no_grad():
            network.weight.fill_(1.0)
            network.running_mean.fill_(1.0)  # type: ignore[union-attr]
            average.network.weight.fill_(0.0)  # type: ignore[operator]
        average.update(step)
        decays.append(1 - average.network.weight.item())  # type: ignore[operator]
    assert decays[0] == pytest.approx(1 / 10)
    assert decays[-1] == pytest.approx(0.9)
    assert all(earlier <= later + 1e-6 for earlier, later in itertools.pairwise(decays))
    assert average.network.running_mean.item() > 0.5  # type: ignore[operator]


def test_cosine_schedule_is_half_a_cosine() -> None:
    assert rate_factor(Cosine(), 25, 100) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
