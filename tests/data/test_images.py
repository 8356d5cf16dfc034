"""Plots and text sheets show their marks: rings at modes, density curves, colours of valid strings."""

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


def colour_share(pixels: np.ndarray, colour: str) -> float:
    """Return the share of pixels of about this colour."""
    return float((np.abs(pixels.astype(int) - ImageColor.getrgb(colour)).sum(axis=-1) < 60).mean())


def test_scatter_rings_every_mode_even_where_no_point_is() -> None:
    modes = MIXTURES["grid25"].modes
    without, ringed = (scatter(np.zeros((1, 2)), 256, modes=marked_modes) for marked_modes in (None, modes))
    assert colour_share(without, MODE_COLOUR) == 0
    assert colour_share(ringed, MODE_COLOUR) > 0.01
    for x, y in modes:
        column, row = ((np.array([x, -y]) / (1.1 * 4) + 1) / 2 * 255).round().astype(int)
        around = ringed[max(0, row - 8) : row + 9, max(0, column - 8) : column + 9]
        assert colour_share(around, MODE_COLOUR) > 0, f"a ring around {x}, {y}"


def test_scatter_leaves_out_points_that_are_not_finite() -> None:
    assert (scatter(np.array([[np.nan, 0.0]]), 64) == scatter(np.empty((0, 2)), 64)).all()


@pytest.mark.slow
def test_line_plot_shows_both_densities_and_the_critics_below() -> None:
    points, density = np.random.default_rng(0).standard_normal(200), MIXTURE.density(X[:, None])
    without_critics = line_plot(points, X, density)
    with_critics, repeated = (line_plot(points, X, density, {"D": 0 * X + 0.2, "best": 0 * X + 0.7}) for _ in range(2))
    for plot in (without_critics, with_critics):
        assert plot.shape == (*line_size()[::-1], 3)
        assert min(colour_share(plot, INK), colour_share(plot, POINT_COLOUR)) > 0
    assert colour_share(with_critics, MODE_COLOUR) > colour_share(without_critics, MODE_COLOUR) == 0
    assert encode(with_critics) == encode(repeated)


@pytest.mark.parametrize("points", [np.array([0.3]), np.array([1e9, 1e9])])
def test_line_plot_of_one_point_or_far_points_can_be_drawn(points: np.ndarray) -> None:
    assert line_plot(points, X, scale=2).shape == (960, 1440, 3)


@pytest.mark.parametrize(("n", "scale"), [(1, 1), (5, 2), (64, 1)])
def test_text_sheet_has_the_size_that_text_size_returns(n: int, scale: int) -> None:
    width, height, columns = text_size(n, 12, scale)
    sheet = text_sheet(["()[]([])()[]"] * n, [True] * n, scale)
    assert sheet.shape == (height, width, 3)
    assert columns <= n
    if n == 64:
        assert 0.5 < width / height < 2


def test_text_sheet_marks_valid_and_invalid_strings_differently() -> None:
    strings = ["()[]", "(((("]
    unmarked, all_valid, all_invalid = (
        text_sheet(strings, validity) for validity in (None, [True, True], [False, False])
    )
    assert colour_share(unmarked, VALID_COLOURS[1]) == colour_share(unmarked, INVALID_COLOURS[1]) == 0
    assert colour_share(all_valid, VALID_COLOURS[1]) > 0 == colour_share(all_valid, INVALID_COLOURS[1])
    assert colour_share(all_invalid, INVALID_COLOURS[1]) > 0 == colour_share(all_invalid, VALID_COLOURS[1])
    mixed = text_sheet(strings, [True, False])
    assert colour_share(mixed, VALID_COLOURS[1]) == pytest.approx(
        colour_share(all_valid, VALID_COLOURS[1]) / 2, rel=0.3
    )
