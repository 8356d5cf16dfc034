"""Find the nearest pictures by the root mean square difference of their pixels, exactly, without torch."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.levels import Pixels, full_level

CHUNK_BYTES = 4 << 20
"""pixels that are compared at a time; as float64 they take eight times as many bytes"""
TYPICAL_PICTURES, TYPICAL_SEED = 50, 0
"""real pictures whose nearest other one says what is usual, and the seed that chooses them"""


class Neighbours(NamedTuple):
    """The nearest pictures of each query, nearest first: numbers int64 [q, n], distances float64 [q, n] in [0, 1]."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]


def nearest(pictures: Pixels, queries: Pixels, n: int, excluded: NDArray[np.int64] | None = None) -> Neighbours:
    """Return the `n` nearest of the pictures [N, ...] to each query [q, ...], which have the same shape and type.

    `excluded` int64 [q] names a picture that each query must not find: itself. Of equal distances the smaller number
    comes first. The pictures may be memory-mapped: they are read once, CHUNK_BYTES at a time.
    """
    pixels = queries[0].size
    wanted = queries.reshape(len(queries), pixels).astype(np.float64)
    squares = np.empty((len(queries), 0))
    rows = np.empty((len(queries), 0), np.int64)
    step = max(1, CHUNK_BYTES // pixels)
    for start in range(0, len(pictures), step):
        chunk = np.asarray(pictures[start : start + step]).reshape(-1, pixels).astype(np.float64)
        found = _squared_distances(chunk, wanted)
        numbers = np.arange(start, start + len(chunk))
        if excluded is not None:
            found[excluded[:, None] == numbers] = np.inf
        squares = np.concatenate([squares, found], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(numbers, found.shape)], axis=1)
        kept = np.argsort(squares, axis=1, kind="stable")[:, :n]
        squares, rows = np.take_along_axis(squares, kept, 1), np.take_along_axis(rows, kept, 1)
    return Neighbours(rows, np.sqrt(squares / pixels) / full_level(pictures))


def typical_distance(pictures: Pixels) -> float | None:
    """Return the median distance of real pictures to the nearest other one; None if there is only one picture."""
    if len(pictures) < 2:
        return None
    order: NDArray[Any] = np.random.RandomState(TYPICAL_SEED).permutation(len(pictures))
    chosen = np.sort(order[:TYPICAL_PICTURES])
    return float(np.median(nearest(pictures, np.asarray(pictures[chosen]), 1, chosen).distances))


def _squared_distances(pictures: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distances [q, N] of whole numbers, which float64 adds exactly: equal pictures have 0."""
    lengths = np.einsum("np,np->n", pictures, pictures), np.einsum("qp,qp->q", queries, queries)
    squares: NDArray[np.float64] = lengths[1][:, None] + lengths[0] - 2 * (queries @ pictures.T)
    return squares
