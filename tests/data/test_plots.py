"""Pictures of tables and of samples beside each other."""

import numpy as np
import pytest
from PIL import ImageColor

from data import plots
from data.plots import Cell


def test_a_table_marks_its_best_cells() -> None:
    rows = [[Cell("one"), Cell("2.5", best=True)], [Cell("two"), Cell("3.5")]]
    plain = [[Cell(cell.text) for cell in row] for row in rows]
    green = np.array(ImageColor.getrgb(plots.BEST))
    marked, unmarked = (np.asarray(plots.table("t", ("case", "kid"), cells, ["note"])) for cells in (rows, plain))
    assert (marked == green).all(axis=2).sum() > 500
    assert not (unmarked == green).all(axis=2).any()


@pytest.mark.parametrize("text", ["$\\frac{$", "a$b$c_", ""])
def test_text_is_written_as_it_is(text: str) -> None:
    assert plots.table(text, (text,), [[Cell(text)]], [text]).width > 0
