"""The backlog of an engine: when it refuses a request, and how long the queued work will take."""

import pytest

from serving.protocol import Backlog, Overloaded


def test_request_of_any_size_is_accepted_if_nothing_is_queued() -> None:
    backlog = Backlog(10)
    backlog.check(1000)
    backlog.enter("sample", 9)
    backlog.check(1)
    with pytest.raises(Overloaded):
        backlog.check(2)
    backlog.leave("sample", 9)
    backlog.check(1000)


def test_waiting_time_adds_up_the_queued_work_of_each_kind() -> None:
    """A drawn picture takes 1 ms here and a translated one 0.5 s, in turns of all sizes."""
    backlog = Backlog(1000)
    for n in [1, 32, 7, 32, 2] * 20:
        backlog.measure("sample", n * 0.001, n)
        backlog.measure("translate", n * 0.5, n)
    backlog.enter("sample", 1000)
    assert backlog.seconds == pytest.approx(1, rel=0.01)
    backlog.enter("translate", 6)
    assert backlog.seconds == pytest.approx(4, rel=0.01)
    with pytest.raises(Overloaded) as full:
        backlog.check(1)
    assert full.value.retry_after == backlog.seconds
    backlog.leave("sample", 1000)
    assert backlog.seconds == pytest.approx(3, rel=0.01)


def test_measured_time_is_weighted_by_the_pictures_of_a_turn() -> None:
    """Small turns cost more per picture; the full ones make most pictures and must dominate the mean."""
    backlog = Backlog(1000)
    for _ in range(100):
        backlog.measure("sample", 0.004, 1)
        backlog.measure("sample", 0.016, 32)
    backlog.enter("sample", 330)
    assert backlog.seconds == pytest.approx(0.2, rel=0.1)


def test_waiting_time_follows_a_change_of_speed() -> None:
    backlog = Backlog(1000)
    backlog.enter("sample", 100)
    for seconds in (0.001, 1.0):
        for _ in range(60):
            backlog.measure("sample", 32 * seconds, 32)
        assert backlog.seconds == pytest.approx(100 * seconds, rel=0.02)
