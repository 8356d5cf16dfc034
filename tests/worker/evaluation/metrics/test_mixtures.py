"""Modes counted by hand, and of true points."""

import math

import pytest
import torch

from data.readers.toy import points
from data.toy import MIXTURES
from models.spec.data import Points
from worker.evaluation.metrics.mixtures import divergence, modes

RING = torch.from_numpy(MIXTURES["ring8"].modes)


def test_three_deviations_are_the_border_of_quality() -> None:
    """0.01 is the ring's deviation. A mode that only poor points are near is not captured, but counts as visited."""
    away = torch.tensor([[0.0, 0.029], [0.0, 0.031], [0.029, 0.0], [0.0, 0.0]])
    found = modes(RING[[0, 1, 2, 2]] + away, MIXTURES["ring8"])
    assert found.captured == 2
    assert found.high_quality == 0.75
    assert found.reverse_kl == pytest.approx(0.25 * math.log(2) * 2 + 0.5 * math.log(4))


@pytest.mark.parametrize(("name", "count"), [("ring8", 8), ("grid25", 25)])
def test_true_points_capture_everything(name: str, count: int) -> None:
    captured, quality, divergence = modes(points(Points(dataset=name), "test")[:2_500], MIXTURES[name])
    assert captured == count
    assert quality == pytest.approx(1 - math.exp(-4.5), abs=0.007), "the mass of a disc of three deviations"
    assert divergence < 1e-4


def test_one_mode_alone_is_as_far_from_uniform_as_can_be() -> None:
    found = modes(RING[:1].expand(100, -1), MIXTURES["ring8"])
    assert tuple(found) == pytest.approx((1, 1, math.log(8)))


def test_each_mode_has_its_own_deviation() -> None:
    """On the line the left mode is half as wide as the right one, at -1.5 and 1.5."""
    line = torch.tensor([[-1.5 - 1.4], [-1.5 - 1.6], [1.5 + 1.6], [1.5 + 3.1]])
    assert modes(line, MIXTURES["gaussian1d"]).high_quality == 0.5


def test_divergence_in_the_plane_counts_discs_and_what_lies_outside() -> None:
    """Half on one mode, a quarter on another, a quarter between them."""
    cloud = torch.cat([RING[[0, 0, 1]], torch.zeros(1, 2)])
    disc = (1 - math.exp(-4.5)) / 8
    wanted = 0.5 * math.log(0.5 / disc) + 0.25 * math.log(0.25 / disc) + 0.25 * math.log(0.25 / math.exp(-4.5))
    assert divergence(cloud, MIXTURES["ring8"]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(("name", "cells"), [("ring8", 9), ("grid25", 26), ("gaussian1d", 20)])
def test_divergence_of_true_points_is_that_of_counting(name: str, cells: int) -> None:
    """The bias of an estimated relative entropy is (cells - 1) / 2 n (Miller 1955)."""
    dimension = 1 if name == "gaussian1d" else 2
    cloud = points(Points(dataset=name, dimension=dimension), "test")
    order = torch.randperm(len(cloud), generator=torch.Generator().manual_seed(1))
    found = [divergence(cloud[rows], MIXTURES[name]) for rows in order.view(-1, 1_000)]
    assert sum(found) / len(found) == pytest.approx((cells - 1) / 2_000, rel=0.2)
