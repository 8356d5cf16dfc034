"""Parity of two precisions: the ratio of each figure, and its difference in deviations between runs."""

import pytest

from bench.parity import rows


def test_difference_of_precisions_is_given_in_deviations_between_runs() -> None:
    figures_by_precision = {"bf16": [{"frechet": 2.0}, {"frechet": 4.0}], "fp32": [{"frechet": 1.0}, {"frechet": 3.0}]}
    bf16, fp32 = rows("dcgan on digits", figures_by_precision)
    assert (bf16.case, bf16.value, bf16.n) == ("dcgan on digits, bf16", 3.0, 2)
    assert (fp32.case, fp32.value) == ("dcgan on digits, fp32", 2.0)
    assert bf16.against == {"fp32": 1.5, "deviations apart": pytest.approx(1 / 2**0.5)}


def test_figure_that_a_family_lacks_has_no_row() -> None:
    assert not list(rows("dcgan on digits", {"bf16": [{"agreement": 1.0}], "fp32": [{}]}))
