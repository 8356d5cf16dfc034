"""The first losses of every family are those that were recorded."""

import pytest

from models.spec.families import FAMILIES
from tests.golden.record import curve, recorded


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_losses_are_those_recorded(family: str) -> None:
    golden = recorded().get(family)
    if golden is None:
        pytest.fail(f"No curve of '{family}' is recorded: run `python -m tests.golden.record {family}` and commit it.")
    now = curve(family)
    assert now.keys() == golden.keys()
    for name, losses in golden.items():
        assert now[name] == pytest.approx(losses, rel=1e-3, abs=1e-5), name


def test_no_curve_is_kept_of_a_family_that_is_gone() -> None:
    assert recorded().keys() <= FAMILIES.keys()
