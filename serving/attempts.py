"""Attempts to find the latent from which a generator draws a picture, as rows of numbers. Numpy only."""

import math
from collections.abc import Sequence

import numpy as np

from data.levels import DTYPES
from serving.protocol import Array

NO_CLASS = -1
"""class of an attempt by a model without classes"""
HEAD = 2
"""numbers of a row before the latent: the class, and the mean squared error of the pixels in [-1, 1]"""


def begin(latents: Array, labels: Array) -> Array:
    """Return attempts float32 [n, HEAD + 3 x size] at latents [n, size] of classes [n], NO_CLASS without classes.

    Behind the latent a row has Adam's first and second moments, of the latent's size each.
    """
    n, size = latents.shape
    rows = np.zeros((n, HEAD + 3 * size), np.float32)
    rows[:, 0], rows[:, 1], rows[:, HEAD : HEAD + size] = labels, np.inf, latents
    return rows


def latents_of(rows: Array) -> Array:
    """Return the latents [n, size] of attempts."""
    return rows[:, HEAD : HEAD + (rows.shape[1] - HEAD) // 3]


def labels_of(rows: Array) -> Array:
    """Return the classes int64 [n] of attempts."""
    labels: Array = rows[:, 0].astype(np.int64)
    return labels


def errors_of(rows: Array) -> Array:
    """Return the mean squared errors [n] of attempts at their last measurement."""
    return rows[:, 1]


def best(rows: Array, n: int) -> Array:
    """Return the n attempts with the lowest errors; first the best of each class, then the second best, and so on."""
    order = np.argsort(errors_of(rows), kind="stable")
    labels, seen = labels_of(rows), dict[int, int]()
    ranks = []
    for row in order:
        label = int(labels[row])
        ranks.append(seen.get(label, 0))
        seen[label] = ranks[-1] + 1
    chosen: Array = rows[order[np.argsort(ranks, kind="stable")][:n]]
    return chosen


def lowest(rows: Array, n: int) -> Array:
    """Return the n attempts with the lowest errors."""
    chosen: Array = rows[np.argsort(errors_of(rows), kind="stable")[:n]]
    return chosen


def with_picture(picture: Array, rows: Array) -> Array:
    """Return levels of a picture and attempts as one array float32, which `without_picture` divides again."""
    return np.concatenate([picture.ravel().astype(np.float32), rows.ravel()])


def without_picture(numbers: Array, shape: Sequence[int], bits: int, columns: int) -> tuple[Array, Array]:
    """Return the picture, levels of `bits` and of this shape, and the attempts, of so many numbers each."""
    picture, rows = np.split(numbers, [math.prod(shape)])
    return picture.astype(DTYPES[bits]).reshape(shape), rows.reshape(-1, columns)
