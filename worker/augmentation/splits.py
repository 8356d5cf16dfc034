"""Split a dataset without a test split into training pictures and held-out ones."""

import torch
from torch import Tensor

from data.readers.base import Data
from forger.wire import HELD_OUT_EVERY


def training_part(data: Data) -> Data:
    """Return the pictures of labelled data but every HELD_OUT_EVERY-th of each class."""
    return _rows(data, ~_is_held_out(data))


def held_out_part(data: Data) -> Data:
    """Return every HELD_OUT_EVERY-th picture of each class: the rest of `training_part`."""
    return _rows(data, _is_held_out(data))


def _is_held_out(data: Data) -> Tensor:
    assert data.labels is not None
    held_out = torch.zeros(len(data.labels), dtype=torch.bool)
    for label in torch.unique(data.labels):
        held_out[(data.labels == label).nonzero()[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    return held_out


def _rows(data: Data, chosen: Tensor) -> Data:
    assert data.images is not None
    assert data.labels is not None
    return Data(images=data.images[chosen], labels=data.labels[chosen])
