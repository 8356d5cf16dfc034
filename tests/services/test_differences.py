"""Where JSON values differ, and curves with fewer points that tell the same."""

import random
from typing import Any

import pytest

from app.services.differences import Point, differences, thinned
from models.spec.resolve import resolve


def paths(*values: Any) -> dict[str, list[Any]]:
    return {found.path: found.values for found in differences(values)}


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
def test_only_what_differs_is_listed(values: tuple[Any, ...], expected: dict[str, list[Any]]) -> None:
    assert paths(*values) == expected


def test_recipes_differ_where_their_overrides_do() -> None:
    one = resolve("gan", dataset="ring8", seed=1)[1].model_dump(mode="json")
    overrides = {"objective": {"kind": "hinge"}, "generator_optimizer": {"rate": 0.5}}
    other = resolve("gan", dataset="ring8", seed=2, overrides=overrides)[1].model_dump(mode="json")
    assert paths(one, other) == {
        "/seed": [1, 2],
        "/objective": [{"kind": "non_saturating", "smoothing": 0.0}, {"kind": "hinge"}],
        "/generator_optimizer/rate": [1e-3, 0.5],
    }


def test_a_short_curve_stays_whole() -> None:
    points: list[Point] = [(step, None) for step in range(200)]
    assert thinned(points, 200) == points
    assert thinned([], 200) == []


@pytest.mark.parametrize("length", [201, 203, 1000, 9999])
def test_a_long_curve_keeps_its_ends_and_its_extremes(length: int) -> None:
    noise = random.Random(length)
    values: list[float | None] = [noise.gauss(0, 1) for _ in range(length)]
    values[length // 3], values[length // 2], values[2 * length // 3] = 99.0, -99.0, None
    points: list[Point] = list(enumerate(values))
    kept = thinned(points, 200)
    assert 100 < len(kept) <= 200
    assert kept == sorted(set(kept), key=lambda point: point[0])
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {99.0, -99.0, None} <= {value for _, value in kept}
    assert set(kept) <= set(points)


def test_what_is_not_finite_is_no_extreme() -> None:
    points: list[Point] = [(step, float("nan") if step % 2 else float(step)) for step in range(1000)]
    kept = {step for step, _ in thinned(points, 50)}
    assert any(step % 2 for step in kept)
    assert sum(step % 2 == 0 for step in kept) > 20
