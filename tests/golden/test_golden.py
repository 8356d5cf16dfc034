"""The first losses of every family, and the figures of untrained generators, equal the recorded ones."""

import pytest

from models.spec.families import FAMILIES
from tests.golden.curves import RECORDED_STEPS
from tests.golden.figures import CASES
from tests.golden.record import TABLES, Values, computed, recorded

LOSS_TOLERANCES = {1: 1e-4, 2: 1e-4, 5: 1e-4, 10: 1e-2}
"""Relative, by step: processors with the same instructions still differ in the last digit, which training amplifies."""
FIGURE_TOLERANCE = 0.02
"""Relative: the features are those of a judge that was trained for some steps."""


@pytest.fixture(scope="module")
def losses() -> Values:
    return computed("curves", FAMILIES)


@pytest.fixture(scope="module")
def figures() -> Values:
    return computed("figures", CASES)


def golden(table: str, name: str) -> Values:
    entry: Values | None = recorded(table).get(name)
    if entry is None:
        pytest.fail(f"'{name}' is not recorded: run `python -m tests.golden.record {name}` and commit it.")
    return entry


@pytest.mark.processes
@pytest.mark.parametrize("family", FAMILIES)
def test_first_losses_equal_the_recorded_ones(family: str, losses: Values) -> None:
    expected, losses_now = golden("curves", family), losses[family]
    assert losses_now.keys() == expected.keys()
    for name, values in expected.items():
        assert len(losses_now[name]) == len(values), name
        # A lazy penalty has fewer values than there are recorded steps.
        for step, value, old in zip(RECORDED_STEPS, losses_now[name], values, strict=False):
            assert value == pytest.approx(old, rel=LOSS_TOLERANCES[step], abs=1e-6), (name, step)


@pytest.mark.processes
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("path", ["full", "live"])
def test_figures_equal_the_recorded_ones(case: str, path: str, figures: Values) -> None:
    expected, measured = golden("figures", case)[path], figures[case][path]
    assert measured == pytest.approx(expected, rel=FIGURE_TOLERANCE, abs=1e-6)


@pytest.mark.parametrize("table", TABLES)
def test_recordings_name_only_existing_families_and_cases(table: str) -> None:
    assert recorded(table).keys() <= set(TABLES[table])
