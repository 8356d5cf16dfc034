"""What waits for an engine: when it is too much, and how long it takes."""

import pytest

from serving.protocol import Backlog, Overloaded


def test_any_number_may_come_where_nothing_waits() -> None:
    backlog = Backlog(10)
    backlog.check(1000)
    backlog.enter("sample", 9)
    backlog.check(1)
    with pytest.raises(Overloaded):
        backlog.check(2)
    backlog.leave("sample", 9)
    backlog.check(1000)


def test_the_time_is_that_of_what_waits_by_its_kind() -> None:
    """A picture drawn takes a millisecond here, a translated one half a second: in turns of all sizes."""
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


def test_one_turn_of_a_full_batch_weighs_as_its_pictures_do() -> None:
    """Small turns are dear by the picture; the mean must not be theirs where full ones make most pictures."""
    backlog = Backlog(1000)
    for _ in range(100):
        backlog.measure("sample", 0.004, 1)
        backlog.measure("sample", 0.016, 32)
    backlog.enter("sample", 330)
    assert backlog.seconds == pytest.approx(0.2, rel=0.1)


def test_the_pace_follows_a_change() -> None:
    backlog = Backlog(1000)
    backlog.enter("sample", 100)
    for seconds in (0.001, 1.0):
        for _ in range(60):
            backlog.measure("sample", 32 * seconds, 32)
        assert backlog.seconds == pytest.approx(100 * seconds, rel=0.02)
