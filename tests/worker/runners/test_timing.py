"""Remaining time: smoothed, and with the evaluations and the publication that are still to come."""

import pytest

from worker.runners.timing import RemainingTime


def remaining_after(remaining: RemainingTime, seconds: list[float], first: int = 1) -> float | None:
    """Return the remaining time after steps of these durations, which include the evaluations before them."""
    now = 100.0
    for step, duration in enumerate(seconds, first):
        now += duration
        remaining.step_ended(step, now)
    return remaining.remaining_s


def test_remaining_time_is_unknown_before_the_second_step() -> None:
    assert RemainingTime(100).remaining_s is None
    assert remaining_after(RemainingTime(100), [5.0]) is None


def test_remaining_steps_are_expected_to_take_as_long_as_past_ones() -> None:
    assert remaining_after(RemainingTime(100), [9.0] + [0.5] * 19) == pytest.approx(80 * 0.5)


def test_resumed_attempt_times_its_own_steps() -> None:
    assert remaining_after(RemainingTime(100), [9.0, 2.0, 2.0], first=50) == pytest.approx(48 * 2.0)


def test_remaining_time_includes_evaluations_and_the_publication() -> None:
    """Of 20 steps, 10 and 20 are evaluated: the first evaluation took 7 s, and counts into step 11."""
    seconds = [1.0] * 10 + [8.0] + [1.0]
    assert remaining_after(RemainingTime(20, 10), seconds) == pytest.approx(8 * 1.0 + 2 * 7.0)
    assert remaining_after(RemainingTime(15, 10), seconds) == pytest.approx(3 * 1.0 + 2 * 7.0), (
        "the last step is evaluated too"
    )


def test_one_slow_step_changes_the_remaining_time_only_a_little() -> None:
    steady = [1.0] * 50
    before, after = remaining_after(RemainingTime(1000), steady), remaining_after(RemainingTime(1000), [*steady, 11.0])
    assert before == pytest.approx(950)
    assert after == pytest.approx(949 * 1.5), "smoothed over 20 s, a step of 1 s has a weight of 1/20"


def test_lasting_change_of_speed_is_followed() -> None:
    remaining_s = remaining_after(RemainingTime(1000), [1.0] * 50 + [3.0] * 100)
    assert remaining_s == pytest.approx(850 * 3.0, rel=0.01)
