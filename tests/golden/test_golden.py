"""The first losses of every family, and the figures of untrained generators, are those that were recorded."""

import pytest

from models.spec.families import FAMILIES
from tests.golden.curves import KEPT
from tests.golden.figures import CASES
from tests.golden.record import TABLES, Values, computed, recorded

LOSSES = {1: 1e-4, 2: 1e-4, 5: 1e-4, 10: 1e-2}
"""Relative, by step. Processors with the same instructions still differ in the last digit, which training amplifies."""
FIGURES = 0.02
"""Relative: features are those of a judge that learned for some steps."""


@pytest.fixture(scope="module")
def losses() -> Values:
    return computed("curves", FAMILIES)


@pytest.fixture(scope="module")
def figures() -> Values:
    return computed("figures", CASES)


def golden(table: str, name: str) -> Values:
    kept: Values | None = recorded(table).get(name)
    if kept is None:
        pytest.fail(f"Nothing of '{name}' is recorded: run `python -m tests.golden.record {name}` and commit it.")
    return kept


@pytest.mark.processes
@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_losses_are_those_recorded(family: str, losses: Values) -> None:
    kept, now = golden("curves", family), losses[family]
    assert now.keys() == kept.keys()
    for name, curve in kept.items():
        assert len(now[name]) == len(curve), name
        for step, value, old in zip(KEPT, now[name], curve, strict=False):  # a lazy penalty has fewer
            assert value == pytest.approx(old, rel=LOSSES[step], abs=1e-6), (name, step)


@pytest.mark.processes
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("path", ["full", "live"])
def test_figures_are_those_recorded(case: str, path: str, figures: Values) -> None:
    kept, now = golden("figures", case)[path], figures[case][path]
    assert now == pytest.approx(kept, rel=FIGURES, abs=1e-6)


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_kept_of_what_is_gone(table: str) -> None:
    assert recorded(table).keys() <= set(TABLES[table])
