"""Confidence intervals against printed tables, scipy and simulation: Student's t and Wilson."""

import random
from statistics import fmean

import pytest
from scipy import stats

from app.services.jobs.confidence import interval, quantile, share_interval

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 30: 2.042, 60: 2.000, 120: 1.980}
"""two-sided 95 % points, as textbooks print them"""


@pytest.mark.parametrize(("degrees", "printed"), TABLE.items())
def test_quantiles_equal_printed_tables(degrees: int, printed: float) -> None:
    assert round(quantile(0.95, degrees), 3) == printed


@pytest.mark.parametrize("level", [0.01, 0.5, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 8, 29, 199, 1000])
def test_quantiles_equal_scipy(level: float, degrees: int) -> None:
    assert quantile(level, degrees) == pytest.approx(stats.t.ppf((1 + level) / 2, degrees), rel=1e-9)


def test_intervals_equal_scipy_and_need_two_values() -> None:
    values = [0.31, 0.27, 0.4, 0.33, 0.29]
    expected = stats.t.interval(0.95, 4, loc=fmean(values), scale=stats.sem(values))
    assert interval(values) == pytest.approx(expected, rel=1e-9)
    assert interval([1.0, 1.0, 1.0]) == (1.0, 1.0)
    assert interval([1.0]) is None
    assert interval([]) is None


def test_95_percent_of_intervals_contain_the_true_mean() -> None:
    rng = random.Random(1)
    intervals = [interval([rng.gauss(3, 2) for _ in range(3)]) for _ in range(4000)]
    containing = sum(low <= 3 <= high for low, high in filter(None, intervals))
    assert 0.94 < containing / 4000 < 0.96, "five deviations of such a share are .017; the seed is fixed"


@pytest.mark.parametrize(("level", "degrees"), [(0.0, 3), (1.0, 3), (0.95, 0)])
def test_arguments_without_a_quantile_are_refused(level: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="No quantile"):
        quantile(level, degrees)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (5, 10), (10, 10), (31, 40), (700, 1000)])
def test_interval_of_a_share_is_that_of_wilson(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert share_interval(hits, n) == pytest.approx((expected.low, expected.high))
