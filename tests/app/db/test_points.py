"""Curves: the database returns short ones whole and thins long ones."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from app.db.repositories import points
from app.db.repositories.points import Curve
from app.db.session import unit_of_work
from tests.support.jobs import make_job

MAX_STEP = 2**31 - 1


@pytest.fixture
def job(database: Path) -> str:
    return make_job().id


def store(job: str, curve: Curve, name: str = "loss") -> None:
    with unit_of_work() as session:
        points.put(session, job, [(step, {name: value}) for step, value in curve])


def read(job: str, max_points: int, after_step: int = -1) -> dict[str, tuple[Curve, bool]]:
    with unit_of_work(read_only=True) as session:
        return points.curves(session, job, None, after_step, max_points)


def test_short_curve_is_not_thinned(job: str) -> None:
    curve: Curve = [(step, None if step % 3 else 1.0) for step in range(0, 4000, 20)]
    store(job, curve)
    assert read(job, 200) == {"loss": (curve, False)}
    assert read(job, 199)["loss"][1]


@pytest.mark.parametrize("length", [201, 203, 1000, 3333])
def test_thinned_curve_keeps_its_ends_and_extremes(job: str, length: int) -> None:
    noise = random.Random(length)
    values: list[float | None] = [noise.gauss(0, 1) for _ in range(length)]
    values[length // 3], values[length // 2], values[2 * length // 3] = 99.0, -99.0, None
    curve: Curve = [(10 * (step + 1), value) for step, value in enumerate(values)]
    store(job, curve)
    kept, thinned = read(job, 200)["loss"]
    assert thinned
    assert 100 < len(kept) <= 200
    assert kept == sorted(set(kept), key=lambda point: point[0])
    assert (kept[0], kept[-1]) == (curve[0], curve[-1])
    assert {99.0, -99.0, None} <= {value for _, value in kept}
    assert set(kept) <= set(curve)
    assert read(job, 200)["loss"] == (kept, True), "thinning is deterministic"


@pytest.mark.parametrize(("length", "max_points"), [(300, 100), (997, 64), (1000, 5)])
def test_each_stretch_keeps_minimum_maximum_and_first_non_finite_point(job: str, length: int, max_points: int) -> None:
    chance = random.Random(length)
    curve: Curve = [(7 * step, chance.choice([None, *range(20)])) for step in range(length)]
    store(job, curve)
    begin, end, stretches = curve[0][0] + 1, curve[-1][0], (max_points - 2) // 3
    edges = [begin + n * (end - begin) // stretches for n in range(stretches + 1)]
    expected = {curve[0], curve[-1]}
    for low, high in pairwise(edges):
        within = [point for point in curve if low <= point[0] < high]
        finite = [(value, step) for step, value in within if value is not None]
        expected |= {(step, value) for value, step in (min(finite), max(finite, key=lambda pair: (pair[0], -pair[1])))}
        expected |= set([point for point in within if point[1] is None][:1])
    assert read(job, max_points)["loss"] == (sorted(expected, key=lambda point: point[0]), True)


def test_first_of_equal_values_is_kept(job: str) -> None:
    store(job, [(step, 1.0) for step in range(1, 101)])
    assert read(job, 11)["loss"][0] == [(1, 1.0), (2, 1.0), (34, 1.0), (67, 1.0), (100, 1.0)]


def test_curve_with_the_largest_steps_is_thinned(job: str) -> None:
    store(job, [(step, float(step)) for step in range(0, MAX_STEP, MAX_STEP // 1000)])
    kept, _ = read(job, 300)["loss"]
    assert len(kept) > 150


def test_curves_are_separated_by_job_and_name_and_cut_after_a_step(job: str) -> None:
    other = make_job().id
    store(other, [(1, 1.0)], "elsewhere")
    store(job, [(step, 0.0) for step in range(50)])
    store(job, [(49, None)], "figure")
    assert read(job, 20, after_step=29) == {
        "figure": ([(49, None)], False),
        "loss": ([(step, 0.0) for step in range(30, 50)], False),
    }
    assert read(job, 20, after_step=49) == {}


def test_newest_finds_the_last_report_at_or_before_a_step(job: str) -> None:
    store(job, [(10, 1.0), (20, 2.0), (30, 3.0)])
    store(job, [(15, 0.5), (20, None)], "figure")
    with unit_of_work(read_only=True) as session:
        newest = {step: points.newest(session, job, step) for step in (9, 10, 19, 25)}
    assert newest == {9: {}, 10: {"loss": 1.0}, 19: {"figure": 0.5}, 25: {"figure": None, "loss": 2.0}}
