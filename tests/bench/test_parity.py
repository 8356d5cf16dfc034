"""Two precisions side by side: their ratio, and how far they are apart for what one run differs from the next."""

import pytest

from bench.parity import rows


def test_the_difference_is_counted_in_deviations_of_one_run() -> None:
    both = {"bf16": [{"frechet": 2.0}, {"frechet": 4.0}], "fp32": [{"frechet": 1.0}, {"frechet": 3.0}]}
    half, full = rows("dcgan on digits", both)
    assert (half.case, half.value, half.n) == ("dcgan on digits, bf16", 3.0, 2)
    assert (full.case, full.value) == ("dcgan on digits, fp32", 2.0)
    assert half.against == {"fp32": 1.5, "deviations apart": pytest.approx(1 / 2**0.5)}


def test_a_figure_that_a_family_lacks_has_no_row() -> None:
    assert not list(rows("dcgan on digits", {"bf16": [{"agreement": 1.0}], "fp32": [{}]}))
