"""Confidence intervals: of a mean of few values by Student's t, of a share by Wilson. Standard library only."""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist, fmean, stdev

LEVEL = 0.95
_BISECTIONS = 60
"""bisections of the angle in [0, pi/2]; after these it changes by less than a double's precision"""


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """Return the confidence interval of the mean: mean ± t · deviation / √n, n - 1 degrees of freedom; None for n < 2.

    It holds for values that are independent and about normally distributed.
    """
    n = len(values)
    if n < 2:
        return None
    half_width = quantile(level, n - 1) * stdev(values) / math.sqrt(n)
    mean = fmean(values)
    return mean - half_width, mean + half_width


def share_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share, `hits` of n > 0 independent trials: Wilson 1927, within [0, 1]."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half_width = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half_width), min(1.0, middle + half_width)


@lru_cache(1024)
def quantile(level: float, degrees: int) -> float:
    """Return the t with P(|T| < t) = `level` in (0, 1), for `degrees` >= 1 of freedom. Raises ValueError."""
    if not (0 < level < 1 and degrees >= 1):
        raise ValueError(f"No quantile of level {level} with {degrees} degrees of freedom.")
    low, high = 0.0, math.pi / 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _probability_within(middle, degrees) < level else (low, middle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _probability_within(angle: float, degrees: int) -> float:
    """Return P(|T| < √degrees · tan(angle)), a finite sum: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(1 + odd, degrees, 2):
        total += term
        term *= cosine**2 * k / (k + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
