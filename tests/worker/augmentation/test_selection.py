"""The filter of generated pictures, and the split of a dataset without a test split."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from data.readers.base import Data
from data.readers.builtin import load
from models.spec.data import Images
from worker.augmentation.selection import MAX_DRAWS, Filter, Selection
from worker.augmentation.splits import held_out_part, training_part
from worker.evaluation.judge import trained_judge

SEVEN = 7


@pytest.fixture(scope="module")
def digits() -> Data:
    return load(Images(dataset="digits", side=16, channels=1, classes=10), None)


@pytest.fixture(scope="module")
def filter_(digits: Data) -> Filter:
    """A filter that has seen the training part of digits."""
    training = training_part(digits)
    return Filter(training, trained_judge(training, None, steps=150), lambda: None)


def of_class(data: Data, label: int) -> Tensor:
    assert data.images is not None
    assert data.labels is not None
    return data.images[data.labels == label]


def select(filter_: Filter, pictures: Tensor, wanted: int) -> Selection:
    """Filter these pictures as if they were generated as sevens."""
    return filter_.select(SEVEN, wanted, lambda numbers: pictures[numbers.start : numbers.stop])


def test_split_holds_out_every_fifth_picture_of_each_class(digits: Data) -> None:
    training, held_out = training_part(digits), held_out_part(digits)
    for label in range(10):
        whole = of_class(digits, label)
        assert torch.equal(of_class(held_out, label), whole[4::5])
        assert len(of_class(training, label)) == len(whole) - len(whole) // 5


def test_pictures_that_look_like_new_ones_of_the_class_are_kept_in_order(filter_: Filter, digits: Data) -> None:
    new = of_class(held_out_part(digits), SEVEN)
    selection = select(filter_, new.repeat(4, 1, 1, 1)[: 4 * 20], 20)
    assert list(selection.kept) == sorted(selection.kept)
    assert len(selection.kept) >= 15
    left_out = selection.disagreed + selection.near_training + selection.near_generated
    assert selection.generated == len(selection.kept) + left_out


def test_pictures_of_another_class_are_left_out(filter_: Filter, digits: Data) -> None:
    ones = of_class(held_out_part(digits), 1)[:20]
    selection = select(filter_, ones, 5)
    assert (selection.kept, selection.disagreed) == ((), 20)
    assert selection.generated == MAX_DRAWS * 5


def test_copies_of_training_pictures_are_left_out(filter_: Filter, digits: Data) -> None:
    copies = of_class(training_part(digits), SEVEN)[:20]
    selection = select(filter_, copies, 5)
    assert selection.kept == ()
    assert selection.near_training + selection.disagreed == 20
    assert selection.near_training >= 15


def test_copies_of_kept_pictures_are_left_out(filter_: Filter, digits: Data) -> None:
    (first,) = (picture for picture in [next(kept_sevens(filter_, digits))])
    selection = select(filter_, first.expand(20, -1, -1, -1), 5)
    assert (selection.kept, selection.near_generated, selection.generated) == ((0,), 19, 20)


def kept_sevens(filter_: Filter, digits: Data) -> Iterator[Tensor]:
    """Yield new sevens that the filter keeps."""
    for picture in of_class(held_out_part(digits), SEVEN):
        if select(filter_, picture.expand(4, -1, -1, -1), 1).kept:
            yield picture
