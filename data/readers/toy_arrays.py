"""The drawn datasets as arrays, without torch: points, strings, and the choice of digits in stacked MNIST."""

import math

import numpy as np
from numpy.typing import NDArray

from data.readers.base import Split
from data.torch_random import TorchRandom
from data.toy import MIXTURES
from models.spec.data import Points, Sequences
from models.spec.datasets import DATASETS

SEEDS = {"train": 0, "test": 1}


def points(spec: Points, split: Split) -> NDArray[np.float32]:
    """Draw the points of `data.readers.toy.points`, to float32 rounding: [N, dimension]."""
    count, mixture = DATASETS[spec.dataset].size, MIXTURES[spec.dataset]
    modes, spreads = mixture.modes.astype(np.float32), mixture.spreads.astype(np.float32)
    mode = np.arange(count) % len(modes)
    normals = TorchRandom(SEEDS[split]).normals(count * spec.dimension).reshape(count, spec.dimension)
    return np.asarray(modes[mode] + spreads[mode, None] * normals)


def sequences(spec: Sequences, split: Split) -> NDArray[np.int64]:
    """Draw strings [N, length] of balanced brackets; every valid string is equally likely."""
    return balanced_strings(DATASETS[spec.dataset].size, spec.length, spec.symbols // 2, TorchRandom(SEEDS[split]))


def stacked_digits(split: Split, count: int, digits: int) -> NDArray[np.int64]:
    """Draw the numbers [count, 3] of the digits in red, green and blue of each picture of stacked MNIST."""
    return TorchRandom(SEEDS[split]).integers(digits, (count, 3))


def balanced_strings(n: int, length: int, kinds: int, rng: TorchRandom) -> NDArray[np.int64]:
    """Draw balanced strings [n, length] uniformly: symbol 2k opens a bracket of kind k, 2k + 1 closes it.

    P(the next symbol opens) = valid completions that begin with an opening bracket / all valid completions. A row of
    `open_kinds` is the stack of the kinds of the brackets that are open in a string.
    """
    rows, height = np.arange(n), np.zeros(n, np.int64)
    open_kinds, strings = np.zeros((n, length + 1), np.int64), np.empty((n, length), np.int64)
    for position in range(length):
        remaining = length - position
        share = np.array([_opening_share(level, remaining) for level in range(length + 1)])
        opens = rng.doubles(n) < share[height]
        fresh = rng.integers(kinds, n)
        kind = np.where(opens, fresh, open_kinds[rows, np.maximum(height - 1, 0)])
        open_kinds[rows, height] = np.where(opens, kind, open_kinds[rows, height])
        strings[:, position] = 2 * kind + ~opens
        height += np.where(opens, 1, -1)
    return strings


def _opening_share(height: int, remaining: int) -> float:
    """Return P(the next symbol opens) if `height` brackets are open and `remaining` symbols are left."""
    opening, closing = _ways(height + 1, remaining - 1), _ways(height - 1, remaining - 1)
    return opening / max(1, opening + closing)


def _ways(height: int, remaining: int) -> int:
    """Count the paths from `height` to 0 in `remaining` steps of one that stay at 0 or above (ballot numbers)."""
    if height < 0 or height > remaining or (remaining - height) % 2:
        return 0
    ups = (remaining - height) // 2
    return math.comb(remaining, ups) - (math.comb(remaining, ups - 1) if ups else 0)
