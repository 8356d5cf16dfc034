"""The true distributions of the toy datasets: modes and densities of points, and validity of strings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equally weighted isotropic normal distributions: means `modes` [k, d], standard deviations `spreads` [k]."""

    modes: Floats
    spreads: Floats

    def density(self, x: NDArray[Any]) -> Floats:
        """Return the density [n] at points x [n, d]."""
        dimension = self.modes.shape[1]
        squares = np.square(x[:, None] - self.modes).sum(axis=2)
        heights = (2 * np.pi * self.spreads**2) ** (-dimension / 2)
        return np.asarray((heights * np.exp(-squares / (2 * self.spreads**2))).mean(axis=1))


def _ring(count: int, spread: float) -> Mixture:
    angles = np.arange(count) * (2 * np.pi / count)
    return Mixture(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.full(count, spread))


def _grid(line: Floats, spread: float) -> Mixture:
    modes = np.stack(np.meshgrid(line, line, indexing="ij"), axis=2).reshape(-1, 2)
    return Mixture(modes, np.full(len(modes), spread))


MIXTURES: Mapping[str, Mixture] = MappingProxyType({
    "ring8": _ring(8, 0.01),
    "grid25": _grid(np.arange(-4.0, 5.0, 2.0), 0.05),
    "gaussian1d": Mixture(np.array([[-1.5], [1.5]]), np.array([0.5, 1.0])),
})  # fmt: skip
"""by dataset, the distribution of its points"""


def kernel_density(points: NDArray[Any], at: NDArray[Any]) -> Floats:
    """Estimate the density [m] at `at` [m] from points on a line [n] by Gaussian kernels.

    The bandwidth is half of that by Silverman's rule (1986, equation 3.31), which is for one mode and would fill the
    valleys between several.
    """
    quartiles = np.subtract(*np.percentile(points, (75, 25))) / 1.34
    spread = min(float(points.std()), float(quartiles) or np.inf)
    width = max(0.45 * spread * len(points) ** -0.2, 1e-2)
    bumps = np.exp(-np.square((at[:, None] - points) / width) / 2)
    return np.asarray(bumps.mean(axis=1) / (width * np.sqrt(2 * np.pi)))


def line_through(mixture: Mixture, count: int = 400) -> Floats:
    """Return positions [count] on a line that cover all but a ten-thousandth of the mixture."""
    margin = 4 * mixture.spreads[:, None]
    return np.linspace((mixture.modes - margin).min(), (mixture.modes + margin).max(), count)


def balanced(strings: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for strings [n, length] whether brackets balance: symbol 2k opens kind k, 2k + 1 closes it."""
    n, length = strings.shape
    rows, open_kinds = np.arange(n), np.zeros((n, length + 1), np.int64)
    depth, good = np.zeros(n, np.int64), np.ones(n, bool)
    for symbol in strings.T:
        kind, closes = symbol // 2, symbol % 2 == 1
        good &= ~closes | ((depth > 0) & (open_kinds[rows, depth - 1] == kind))
        open_kinds[rows, np.where(closes, length, depth)] = kind  # column `length` is scratch space
        depth = np.maximum(depth + np.where(closes, -1, 1), 0)
    return np.asarray(good & (depth == 0))


VALID: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.bool_]]] = MappingProxyType({"dyck": balanced})
"""by dataset, the function that returns which strings [n, length] are valid"""


def spell(strings: NDArray[np.int64], alphabet: str) -> list[str]:
    """Return strings [n, length] of symbol numbers as text."""
    return ["".join(alphabet[symbol] for symbol in string) for string in strings.tolist()]
