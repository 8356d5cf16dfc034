"""Figures of mixtures: modes and divergence, counted by hand and for true points."""

import math

import pytest
import torch

from data.readers.toy import points
from data.toy import MIXTURES
from models.spec.data import Points
from worker.evaluation.metrics.mixtures import divergence, modes

RING = torch.from_numpy(MIXTURES["ring8"].modes)


def test_points_within_three_deviations_of_a_mode_are_of_high_quality() -> None:
    """The ring's deviation is 0.01. A mode with poor points only is not captured, but counts as visited."""
    offsets = torch.tensor([[0.0, 0.029], [0.0, 0.031], [0.029, 0.0], [0.0, 0.0]])
    figures = modes(RING[[0, 1, 2, 2]] + offsets, MIXTURES["ring8"])
    assert figures.captured == 2
    assert figures.high_quality == 0.75
    assert figures.reverse_kl == pytest.approx(0.25 * math.log(2) * 2 + 0.5 * math.log(4))


@pytest.mark.parametrize(("name", "count"), [("ring8", 8), ("grid25", 25)])
def test_true_points_capture_every_mode(name: str, count: int) -> None:
    captured, quality, divergence = modes(points(Points(dataset=name), "test")[:2_500], MIXTURES[name])
    assert captured == count
    assert quality == pytest.approx(1 - math.exp(-4.5), abs=0.007), "the mass within three deviations"
    assert divergence < 1e-4


def test_points_of_a_single_mode_have_the_largest_reverse_kl() -> None:
    figures = modes(RING[:1].expand(100, -1), MIXTURES["ring8"])
    assert tuple(figures) == pytest.approx((1, 1, math.log(8)))


def test_high_quality_uses_the_deviation_of_each_mode() -> None:
    """On the line, the mode at -1.5 is half as wide as the one at 1.5."""
    line = torch.tensor([[-1.5 - 1.4], [-1.5 - 1.6], [1.5 + 1.6], [1.5 + 3.1]])
    assert modes(line, MIXTURES["gaussian1d"]).high_quality == 0.5


def test_divergence_in_the_plane_counts_points_per_disc_and_outside_all() -> None:
    """Half of the points lie on one mode, a quarter on another, a quarter between them."""
    cloud = torch.cat([RING[[0, 0, 1]], torch.zeros(1, 2)])
    disc = (1 - math.exp(-4.5)) / 8
    expected = 0.5 * math.log(0.5 / disc) + 0.25 * math.log(0.25 / disc) + 0.25 * math.log(0.25 / math.exp(-4.5))
    assert divergence(cloud, MIXTURES["ring8"]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("name", "cells"), [("ring8", 9), ("grid25", 26), ("gaussian1d", 20)])
def test_divergence_of_true_points_is_the_bias_of_its_estimate(name: str, cells: int) -> None:
    """The bias of an estimated relative entropy is (cells - 1) / 2 n (Miller 1955)."""
    dimension = 1 if name == "gaussian1d" else 2
    cloud = points(Points(dataset=name, dimension=dimension), "test")
    order = torch.randperm(len(cloud), generator=torch.Generator().manual_seed(1))
    divergences = [divergence(cloud[rows], MIXTURES[name]) for rows in order.view(-1, 1_000)]
    assert sum(divergences) / len(divergences) == pytest.approx((cells - 1) / 2_000, rel=0.2)
