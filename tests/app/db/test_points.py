"""Curves as they are read: whole where they are short, thinned by the database where they are long."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from app.db.repositories import points
from app.db.repositories.points import Curve
from app.db.session import unit_of_work
from tests.support.jobs import make_job

LONG = 2**31 - 1


@pytest.fixture
def job(database: Path) -> str:
    return make_job().id


def put(job: str, curve: Curve, name: str = "loss") -> None:
    with unit_of_work() as session:
        points.put(session, job, [(step, {name: value}) for step, value in curve])


def read(job: str, most: int, after_step: int = -1) -> dict[str, tuple[Curve, bool]]:
    with unit_of_work(read_only=True) as session:
        return points.curves(session, job, None, after_step, most)


def test_a_short_curve_stays_whole(job: str) -> None:
    curve: Curve = [(step, None if step % 3 else 1.0) for step in range(0, 4000, 20)]
    put(job, curve)
    assert read(job, 200) == {"loss": (curve, False)}
    assert read(job, 199)["loss"][1]


@pytest.mark.parametrize("length", [201, 203, 1000, 3333])
def test_a_long_curve_keeps_its_ends_and_its_extremes(job: str, length: int) -> None:
    noise = random.Random(length)
    values: list[float | None] = [noise.gauss(0, 1) for _ in range(length)]
    values[length // 3], values[length // 2], values[2 * length // 3] = 99.0, -99.0, None
    curve: Curve = [(10 * (step + 1), value) for step, value in enumerate(values)]
    put(job, curve)
    kept, thinned = read(job, 200)["loss"]
    assert thinned
    assert 100 < len(kept) <= 200
    assert kept == sorted(set(kept), key=lambda point: point[0])
    assert (kept[0], kept[-1]) == (curve[0], curve[-1])
    assert {99.0, -99.0, None} <= {value for _, value in kept}
    assert set(kept) <= set(curve)
    assert read(job, 200)["loss"] == (kept, True), "the same points give the same ones"


@pytest.mark.parametrize(("length", "most"), [(300, 100), (997, 64), (1000, 5)])
def test_of_each_stretch_the_least_the_greatest_and_the_first_that_was_not_finite_are_kept(
    job: str, length: int, most: int
) -> None:
    chance = random.Random(length)
    curve: Curve = [(7 * step, chance.choice([None, *range(20)])) for step in range(length)]
    put(job, curve)
    begin, end, stretches = curve[0][0] + 1, curve[-1][0], (most - 2) // 3
    edges = [begin + n * (end - begin) // stretches for n in range(stretches + 1)]
    expected = {curve[0], curve[-1]}
    for low, high in pairwise(edges):
        within = [point for point in curve if low <= point[0] < high]
        finite = [(value, step) for step, value in within if value is not None]
        expected |= {(step, value) for value, step in (min(finite), max(finite, key=lambda one: (one[0], -one[1])))}
        expected |= set([point for point in within if point[1] is None][:1])
    assert read(job, most)["loss"] == (sorted(expected, key=lambda point: point[0]), True)


def test_of_equal_values_the_first_is_kept(job: str) -> None:
    put(job, [(step, 1.0) for step in range(1, 101)])
    assert read(job, 11)["loss"][0] == [(1, 1.0), (2, 1.0), (34, 1.0), (67, 1.0), (100, 1.0)]


def test_steps_may_be_as_large_as_they_come(job: str) -> None:
    put(job, [(step, float(step)) for step in range(0, LONG, LONG // 1000)])
    kept, _ = read(job, 300)["loss"]
    assert len(kept) > 150


def test_curves_are_told_apart_and_only_what_lies_past_a_step_counts(job: str) -> None:
    other = make_job().id
    put(other, [(1, 1.0)], "elsewhere")
    put(job, [(step, 0.0) for step in range(50)])
    put(job, [(49, None)], "figure")
    assert read(job, 20, after_step=29) == {
        "figure": ([(49, None)], False),
        "loss": ([(step, 0.0) for step in range(30, 50)], False),
    }
    assert read(job, 20, after_step=49) == {}


def test_the_newest_report_is_found_at_a_step_or_before(job: str) -> None:
    put(job, [(10, 1.0), (20, 2.0), (30, 3.0)])
    put(job, [(15, 0.5), (20, None)], "figure")
    with unit_of_work(read_only=True) as session:
        found = {step: points.newest(session, job, step) for step in (9, 10, 19, 25)}
    assert found == {9: {}, 10: {"loss": 1.0}, 19: {"figure": 0.5}, 25: {"figure": None, "loss": 2.0}}
