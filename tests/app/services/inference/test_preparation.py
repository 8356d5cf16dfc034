"""Sent pictures and masks at a model's side."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import Invalid
from app.services.inference.preparation import prepared, prepared_with_hole
from models.spec.data import Images

Array = NDArray[Any]
DATA = Images(dataset="digits", side=16, channels=1)


def picture(height: int, width: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, (height, width, 1)).astype(np.uint8)


def hole(shape: tuple[int, int], rows: slice, columns: slice) -> Array:
    white = np.zeros((*shape, 1), bool)
    white[rows, columns] = True
    return white


@pytest.mark.parametrize(("rows", "columns"), [(slice(33, 34), slice(21, 22)), (slice(32, 36), slice(20, 24))])
def test_pixel_is_unknown_if_any_part_of_it_is(rows: slice, columns: slice) -> None:
    """A pixel at the model's side is 4 x 4 of the sent ones."""
    levels = prepared_with_hole(picture(64, 64), hole((64, 64), rows, columns), DATA)
    assert np.argwhere(levels[..., -1]).tolist() == [[8, 5]]
    assert levels[8, 5, -1] == 255


def test_mask_is_cropped_as_the_picture_is() -> None:
    levels = prepared_with_hole(picture(16, 40), hole((16, 40), slice(0, 16), slice(0, 14)), DATA)
    assert (levels[..., -1] > 0).any(0).tolist() == [True] * 2 + [False] * 14


def test_known_pixels_far_from_the_hole_are_those_of_the_whole_picture() -> None:
    sent, white = picture(64, 64), hole((64, 64), slice(0, 8), slice(0, 8))
    levels, whole = prepared_with_hole(sent, white, DATA), prepared(sent, DATA)
    assert (levels[4:, :, :-1] == whole[4:]).all()
    assert (levels[:, 4:, :-1] == whole[:, 4:]).all()
    assert (levels[2:, 2:, -1] == 0).all()


def test_hidden_levels_change_nothing_and_count_as_the_mean_of_the_known_ones() -> None:
    sent, white = picture(64, 64), hole((64, 64), slice(0, 32), slice(0, 64))
    changed = np.where(white, 255 - sent, sent)
    levels = prepared_with_hole(sent, white, DATA)
    assert (levels == prepared_with_hole(changed, white, DATA)).all()
    assert levels[3, 3, 0] == sent[32:].mean().round()


@pytest.mark.parametrize(("columns", "code"), [(slice(0, 10), "mask_empty"), (slice(10, 90), "mask_full")])
def test_square_that_is_all_known_or_all_unknown_is_refused(columns: slice, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        prepared_with_hole(picture(64, 96), hole((64, 96), slice(0, 64), columns), DATA)
    assert (refused.value.code, refused.value.errors[0].pointer) == (code, "/mask")
