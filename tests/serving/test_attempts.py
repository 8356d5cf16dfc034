"""Attempts of a search as rows of numbers."""

import numpy as np
import pytest

from data.levels import DTYPES
from serving import attempts


@pytest.mark.parametrize("bits", [8, 16])
def test_picture_and_attempts_survive_the_way_to_a_worker(bits: int) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 1 << bits, (16, 16, 4)).astype(DTYPES[bits])
    rows = attempts.begin(rng.standard_normal((3, 5)), np.array([0, 1, 2]))
    sent = attempts.with_picture(picture, rows)
    again, rows_again = attempts.without_picture(sent, picture.shape, bits, rows.shape[1])
    assert sent.dtype == np.float32
    assert again.dtype == picture.dtype
    assert (again == picture).all()
    assert (rows_again == rows).all()
