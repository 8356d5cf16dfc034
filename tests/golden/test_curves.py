"""The first losses of every family are those that were recorded."""

import pytest

from models.spec.families import FAMILIES
from tests.golden.curves import KEPT
from tests.golden.record import Curve, curves, recorded

TOLERANCES = {1: 1e-4, 2: 1e-4, 5: 1e-4, 10: 1e-2}
"""Relative, by step. Processors with the same instructions still differ in the last digit, which training amplifies."""


@pytest.fixture(scope="module")
def computed() -> dict[str, Curve]:
    return curves(FAMILIES)


@pytest.mark.processes
@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_losses_are_those_recorded(family: str, computed: dict[str, Curve]) -> None:
    golden = recorded().get(family)
    if golden is None:
        pytest.fail(f"No curve of '{family}' is recorded: run `python -m tests.golden.record {family}` and commit it.")
    now = computed[family]
    assert now.keys() == golden.keys()
    for name, losses in golden.items():
        assert len(now[name]) == len(losses), name
        for step, value, kept in zip(KEPT, now[name], losses, strict=False):  # a lazy penalty has fewer
            assert value == pytest.approx(kept, rel=TOLERANCES[step], abs=1e-6), (name, step)


def test_no_curve_is_kept_of_a_family_that_is_gone() -> None:
    assert recorded().keys() <= FAMILIES.keys()
