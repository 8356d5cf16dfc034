"""The event stream: one reader sends each follower all events of a job, in order and once."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.core.settings import get_settings
from app.db.session import engine
from app.services.jobs import attempts, event_stream, lifecycle
from app.services.jobs.event_stream import EventStream, Follower
from tests.support.jobs import make_job

TIMEOUT_S = 20.0


@pytest.fixture
def job(database: Path) -> str:
    """The id of a running job with two events."""
    job_id = make_job().id
    assert attempts.claim(job_id, "tests") is not None
    return job_id


def write(job: str, count: int) -> None:
    for _ in range(count):
        attempts.record_event(job, 1, "health", {})


def run(scenario: Callable[[EventStream], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await scenario(EventStream(lambda event, _: str(event.seq).encode()))

    asyncio.run(within())


async def read(follower: Follower, until: int) -> list[int]:
    """Return the numbers of the events that the follower gets, up to number `until`."""
    seqs: list[int] = []
    while follower.seq < until:
        new = await follower.next_events(TIMEOUT_S)
        assert all(written.text == str(written.event.seq).encode() for written in new)
        seqs += [written.event.seq for written in new]
    return seqs


def test_one_query_serves_all_followers(job: str) -> None:
    reads: list[str] = []

    def count(connection: object, cursor: object, statement: str, *more: object) -> None:
        if "FROM events" in statement:
            reads.append(statement)

    async def scenario(stream: EventStream) -> None:
        with ExitStack() as stack:
            followers = [stack.enter_context(stream.follow(job, 0)) for _ in range(50)]
            for last in (3, 4):  # at first some may still read the database themselves
                await asyncio.to_thread(write, job, 1)
                await asyncio.gather(*(read(follower, last) for follower in followers))
            event.listen(engine(get_settings().database_url), "before_cursor_execute", count)
            await asyncio.to_thread(write, job, 1)
            assert await asyncio.gather(*(read(follower, 5) for follower in followers)) == [[5]] * 50

    run(scenario)
    assert len(reads) == 1


@pytest.mark.slow
def test_late_follower_misses_no_event(job: str) -> None:
    async def scenario(stream: EventStream) -> None:
        with ExitStack() as stack:
            for number in range(8):
                after = number % 3
                follower = stack.enter_context(stream.follow(job, after))
                writing = asyncio.create_task(asyncio.to_thread(write, job, 2))
                last = 4 + 2 * number
                assert await read(follower, last) == list(range(after + 1, last + 1))
                await writing

    run(scenario)


@pytest.mark.slow
def test_slow_follower_still_gets_every_event(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_PENDING_EVENTS", 3)

    async def scenario(stream: EventStream) -> None:
        with stream.follow(job, 0) as slow, stream.follow(job, 0) as quick:
            assert await read(slow, 2) == [1, 2]
            for last in range(3, 10):
                await asyncio.to_thread(write, job, 1)
                await read(quick, last)
            assert await read(slow, 9) == list(range(3, 10))
            await asyncio.to_thread(write, job, 1)
            assert await read(slow, 10) == [10]

    run(scenario)


def test_burst_of_events_is_sent_complete(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_REPLY_EVENTS", 4)

    async def scenario(stream: EventStream) -> None:
        with stream.follow(job, 0) as follower:
            assert await read(follower, 2) == [1, 2]
            await asyncio.to_thread(write, job, 30)
            assert await read(follower, 32) == list(range(3, 33))

    run(scenario)


def test_next_events_returns_nothing_after_its_time_out(job: str) -> None:
    async def scenario(stream: EventStream) -> None:
        with stream.follow(job, 99) as follower:
            while await follower.next_events(0.01):
                pass
            assert follower.seq == 99

    run(scenario)


def test_reader_ends_with_its_last_follower_and_starts_again(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "POLL_S", 0.0)

    async def scenario(stream: EventStream) -> None:
        with stream.follow(job, 0) as follower:
            await read(follower, 2)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        with stream.follow(job, 2) as follower:
            await asyncio.to_thread(write, job, 1)
            assert await read(follower, 3) == [3]
        lifecycle.cancel(job)

    run(scenario)
