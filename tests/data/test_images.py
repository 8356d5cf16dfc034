"""Drawings say what they should: rings where modes are, curves where densities are, ticks beside valid strings."""

import numpy as np
import pytest
from PIL import ImageColor

from data.images import (
    INK,
    INVALID_COLOURS,
    MODE_COLOUR,
    POINT_COLOUR,
    VALID_COLOURS,
    encode,
    line_plot,
    line_size,
    scatter,
    text_sheet,
    text_size,
)
from data.toy import MIXTURES, line_through

MIXTURE = MIXTURES["gaussian1d"]
X = line_through(MIXTURE)


def share(pixels: np.ndarray, colour: str) -> float:
    """Of pixels that have about this colour."""
    return float((np.abs(pixels.astype(int) - ImageColor.getrgb(colour)).sum(axis=-1) < 60).mean())


def test_true_modes_are_ringed_even_where_no_point_is() -> None:
    modes = MIXTURES["grid25"].modes
    without, ringed = (scatter(np.zeros((1, 2)), 256, modes=given) for given in (None, modes))
    assert share(without, MODE_COLOUR) == 0
    assert share(ringed, MODE_COLOUR) > 0.01
    for x, y in modes:
        column, row = ((np.array([x, -y]) / (1.1 * 4) + 1) / 2 * 255).round().astype(int)
        around = ringed[max(0, row - 8) : row + 9, max(0, column - 8) : column + 9]
        assert share(around, MODE_COLOUR) > 0, f"a ring around {x}, {y}"


def test_points_that_are_not_finite_are_left_out() -> None:
    assert (scatter(np.array([[np.nan, 0.0]]), 64) == scatter(np.empty((0, 2)), 64)).all()


@pytest.mark.slow
def test_a_plot_on_a_line_shows_both_densities_and_below_them_the_critics() -> None:
    points, truth = np.random.default_rng(0).standard_normal(200), MIXTURE.density(X[:, None])
    alone = line_plot(points, X, truth)
    judged, again = (line_plot(points, X, truth, {"D": 0 * X + 0.2, "best": 0 * X + 0.7}) for _ in range(2))
    for plot in (alone, judged):
        assert plot.shape == (*line_size()[::-1], 3)
        assert min(share(plot, INK), share(plot, POINT_COLOUR)) > 0
    assert share(judged, MODE_COLOUR) > share(alone, MODE_COLOUR) == 0
    assert encode(judged) == encode(again)


@pytest.mark.parametrize("points", [np.array([0.3]), np.array([1e9, 1e9])])
def test_a_plot_of_hardly_any_points_can_be_drawn(points: np.ndarray) -> None:
    assert line_plot(points, X, scale=2).shape == (960, 1440, 3)


@pytest.mark.parametrize(("n", "scale"), [(1, 1), (5, 2), (64, 1)])
def test_a_sheet_of_strings_has_the_size_that_is_said(n: int, scale: int) -> None:
    width, height, columns = text_size(n, 12, scale)
    sheet = text_sheet(["()[]([])()[]"] * n, [True] * n, scale)
    assert sheet.shape == (height, width, 3)
    assert columns <= n
    if n == 64:
        assert 0.5 < width / height < 2


def test_valid_strings_are_marked_otherwise_than_invalid_ones() -> None:
    strings = ["()[]", "(((("]
    unmarked, good, bad = (text_sheet(strings, given) for given in (None, [True, True], [False, False]))
    assert share(unmarked, VALID_COLOURS[1]) == share(unmarked, INVALID_COLOURS[1]) == 0
    assert share(good, VALID_COLOURS[1]) > 0 == share(good, INVALID_COLOURS[1])
    assert share(bad, INVALID_COLOURS[1]) > 0 == share(bad, VALID_COLOURS[1])
    mixed = text_sheet(strings, [True, False])
    assert share(mixed, VALID_COLOURS[1]) == pytest.approx(share(good, VALID_COLOURS[1]) / 2, rel=0.3)
