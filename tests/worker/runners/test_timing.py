"""The time that is left: smoothed, with the evaluations and the publication that are yet to come."""

import pytest

from worker.runners.timing import RemainingTime


def _after(remaining: RemainingTime, seconds: list[float], first: int = 1) -> float | None:
    """What is left after steps that took so long each, the evaluations before them included."""
    now = 100.0
    for step, took in enumerate(seconds, first):
        now += took
        remaining.step_ended(step, now)
    return remaining.remaining_s


def test_nothing_is_told_before_a_step_was_timed() -> None:
    assert RemainingTime(100).remaining_s is None
    assert _after(RemainingTime(100), [5.0]) is None


def test_steps_that_are_left_take_as_long_as_those_that_were_made() -> None:
    assert _after(RemainingTime(100), [9.0] + [0.5] * 19) == pytest.approx(80 * 0.5)


def test_an_attempt_that_goes_on_from_a_step_times_its_own() -> None:
    assert _after(RemainingTime(100), [9.0, 2.0, 2.0], first=50) == pytest.approx(48 * 2.0)


def test_evaluations_to_come_and_the_publication_count() -> None:
    """Of 20 steps, evaluated at 10 and 20: the first took 7 s, and lies before step 11."""
    seconds = [1.0] * 10 + [8.0] + [1.0]
    assert _after(RemainingTime(20, 10), seconds) == pytest.approx(8 * 1.0 + 2 * 7.0)
    assert _after(RemainingTime(15, 10), seconds) == pytest.approx(3 * 1.0 + 2 * 7.0), "the end is evaluated too"


def test_one_slow_step_moves_it_a_little() -> None:
    steady = [1.0] * 50
    before, after = _after(RemainingTime(1000), steady), _after(RemainingTime(1000), [*steady, 11.0])
    assert before == pytest.approx(950)
    assert after == pytest.approx(949 * 1.5), "of twenty seconds that are smoothed over, one step is a twentieth"


def test_a_lasting_change_of_pace_is_followed() -> None:
    left = _after(RemainingTime(1000), [1.0] * 50 + [3.0] * 100)
    assert left == pytest.approx(850 * 3.0, rel=0.01)
