"""Differences between JSON values and between recipes."""

from typing import Any

import pytest

from app.services.experiments.recipe_diff import differences
from models.spec.resolve import resolve


def values_by_path(*values: Any) -> dict[str, list[Any]]:
    return {difference.path: difference.values for difference in differences(values)}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (({"a": 1}, {"a": 1}), {}),
        ((1, 2), {"": [1, 2]}),
        (({"a": 1, "b": {"c": 2, "d": 0}}, {"a": 1, "b": {"c": 3, "d": 0}}), {"/b/c": [2, 3]}),
        (({"a": None}, {"a": 1}), {"/a": [None, 1]}),
        (({"a": 1}, {}), {"/a": [1, None]}),
        (({"a/b~": 1}, {"a/b~": 2}), {"/a~1b~0": [1, 2]}),
        (({"o": {"kind": "r1", "w": 1}}, {"o": {"kind": "r1", "w": 2}}), {"/o/w": [1, 2]}),
        (
            ({"o": {"kind": "r1", "w": 1}}, {"o": {"kind": "r2", "w": 1}}),
            {"/o": [{"kind": "r1", "w": 1}, {"kind": "r2", "w": 1}]},
        ),
        (({"l": [{"w": 1}, {"w": 2}]}, {"l": [{"w": 1}, {"w": 3}]}), {"/l/1/w": [2, 3]}),
        (({"l": [1, 2]}, {"l": [1, 3]}), {"/l": [[1, 2], [1, 3]]}),
        (({"l": []}, {"l": [{"w": 1}]}), {"/l": [[], [{"w": 1}]]}),
        (({"x": 1}, {"x": 1}, {"x": 2}), {"/x": [1, 1, 2]}),
    ],
)
def test_only_differing_values_are_listed(values: tuple[Any, ...], expected: dict[str, list[Any]]) -> None:
    assert values_by_path(*values) == expected


def test_recipes_differ_in_seed_and_overrides() -> None:
    one = resolve("gan", dataset="ring8", seed=1)[1].model_dump(mode="json")
    overrides = {"objective": {"kind": "hinge"}, "generator_optimizer": {"rate": 0.5}}
    other = resolve("gan", dataset="ring8", seed=2, overrides=overrides)[1].model_dump(mode="json")
    assert values_by_path(one, other) == {
        "/seed": [1, 2],
        "/objective": [{"kind": "non_saturating", "smoothing": 0.0}, {"kind": "hinge"}],
        "/generator_optimizer/rate": [1e-3, 0.5],
    }
