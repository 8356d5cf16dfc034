"""Tables and sample sheets are drawn whole and legible, as far as their pixels show it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from data import plots
from data.plots import Cell

GREEN = ImageColor.getrgb(plots.BEST)


def count_pixels(picture: Image.Image, colour: tuple[int, ...]) -> int:
    return int((np.asarray(picture) == colour).all(axis=2).sum())


@pytest.mark.parametrize("text", ["short", "a very long title of a table that has one narrow column only"])
def test_long_text_of_a_table_is_not_cut_off(text: str) -> None:
    """The right margin stays white, whichever text is longest."""
    wide = Cell("0.123456 ± 0.000123 (5)")
    tables = [
        plots.table(text, ["case", "frechet ↓"], [[Cell("a"), Cell("1")]], []),
        plots.table("t", ["case", text], [[Cell("a"), wide]], []),
        plots.table("t", ["case", "x"], [[Cell(text), wide]], []),
        plots.table("t", ["case", "x"], [[Cell("a"), Cell("1")]], [text]),
    ]
    for table in tables:
        assert (np.asarray(table)[:, -8:] == 255).all()


def test_best_cell_is_marked_green() -> None:
    head = ["case", "frechet ↓"]
    plain = plots.table("t", head, [[Cell("a"), Cell("1")], [Cell("b"), Cell("2")]], [])
    marked = plots.table("t", head, [[Cell("a"), Cell("1", best=True)], [Cell("b"), Cell("2")]], [])
    assert count_pixels(plain, GREEN) == 0
    assert count_pixels(marked, GREEN) > 500


@pytest.mark.parametrize("text", ["$\\frac{$", "a$b$c_", ""])
def test_table_with_formula_signs_in_its_text_is_drawn(text: str) -> None:
    assert plots.table(text, (text,), [[Cell(text)]], [text]).width > 0


def test_table_without_rows_shows_its_note() -> None:
    picture = plots.table("t", ["case"], [], ["Nothing is measured yet."])
    assert count_pixels(picture, (255, 255, 255)) < picture.width * picture.height


def test_samples_fill_a_row_before_the_next_one() -> None:
    red, blue = (Image.new("RGB", (300, 100), colour) for colour in ("red", "blue"))
    picture = plots.sheet([("a", "x", red), ("b", "", blue), ("c", "", red), ("d", "", blue)], None)
    assert count_pixels(picture, (255, 0, 0)) == count_pixels(picture, (0, 0, 255)) == 2 * 300 * 100
    assert picture.width <= plots.SHEET_WIDTH + 2 * plots.PADDING
    first, last = np.argwhere((np.asarray(picture) == (0, 0, 255)).all(axis=2))[[0, -1]]
    assert last[0] > first[0] + 100, "the fourth does not fit beside the others"
    assert last[1] < first[1] + 300


def test_grey_samples_and_curves_with_gaps_are_drawn() -> None:
    curves = plots.plot("frechet", {"a": [(1, 2.0), (2, None), (3, 1.0)], "b": []})
    picture = plots.sheet([("a", "", Image.new("L", (20, 20), 128))], curves)
    assert picture.height > curves.height + 20
    with Image.open(io.BytesIO(plots.png(picture))) as read:
        assert read.size == picture.size
