"""Followers of a job's events: each is told all of them, in order and once, by one reader."""

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

PATIENCE_S = 20.0


@pytest.fixture
def job(database: Path) -> str:
    """One that runs, with two events."""
    made = make_job().id
    assert attempts.claim(made, "tests") is not None
    return made


def write(job: str, count: int) -> None:
    for _ in range(count):
        attempts.record_event(job, 1, "health", {})


def run(told: Callable[[EventStream], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await told(EventStream(lambda event, _: str(event.seq).encode()))

    asyncio.run(within())


async def read(follower: Follower, until: int) -> list[int]:
    """The numbers of the events it is told, up to this one."""
    seqs: list[int] = []
    while follower.seq < until:
        found = await follower.next_events(PATIENCE_S)
        assert all(told.text == str(told.event.seq).encode() for told in found)
        seqs += [told.event.seq for told in found]
    return seqs


def test_one_reader_feeds_all(job: str) -> None:
    reads: list[str] = []

    def count(connection: object, cursor: object, statement: str, *more: object) -> None:
        if "FROM events" in statement:
            reads.append(statement)

    async def told(feed: EventStream) -> None:
        with ExitStack() as stack:
            followers = [stack.enter_context(feed.follow(job, 0)) for _ in range(50)]
            for last in (3, 4):  # at first some may still read for themselves
                await asyncio.to_thread(write, job, 1)
                await asyncio.gather(*(read(follower, last) for follower in followers))
            event.listen(engine(get_settings().database_url), "before_cursor_execute", count)
            await asyncio.to_thread(write, job, 1)
            assert await asyncio.gather(*(read(follower, 5) for follower in followers)) == [[5]] * 50

    run(told)
    assert len(reads) == 1


@pytest.mark.slow
def test_who_comes_later_misses_nothing(job: str) -> None:
    async def told(feed: EventStream) -> None:
        with ExitStack() as stack:
            for number in range(8):
                after = number % 3
                follower = stack.enter_context(feed.follow(job, after))
                writing = asyncio.create_task(asyncio.to_thread(write, job, 2))
                last = 4 + 2 * number
                assert await read(follower, last) == list(range(after + 1, last + 1))
                await writing

    run(told)


@pytest.mark.slow
def test_a_slow_follower_reads_on_by_itself(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_PENDING_EVENTS", 3)

    async def told(feed: EventStream) -> None:
        with feed.follow(job, 0) as slow, feed.follow(job, 0) as quick:
            assert await read(slow, 2) == [1, 2]
            for last in range(3, 10):
                await asyncio.to_thread(write, job, 1)
                await read(quick, last)
            assert await read(slow, 9) == list(range(3, 10))
            await asyncio.to_thread(write, job, 1)
            assert await read(slow, 10) == [10]

    run(told)


def test_a_burst_is_told_whole(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_REPLY_EVENTS", 4)

    async def told(feed: EventStream) -> None:
        with feed.follow(job, 0) as follower:
            assert await read(follower, 2) == [1, 2]
            await asyncio.to_thread(write, job, 30)
            assert await read(follower, 32) == list(range(3, 33))

    run(told)


def test_silence_is_said_after_the_wait(job: str) -> None:
    async def told(feed: EventStream) -> None:
        with feed.follow(job, 99) as follower:
            while await follower.next_events(0.01):
                pass
            assert follower.seq == 99

    run(told)


def test_nobody_reads_where_nobody_follows(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "POLL_S", 0.0)

    async def told(feed: EventStream) -> None:
        with feed.follow(job, 0) as follower:
            await read(follower, 2)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        with feed.follow(job, 2) as follower:
            await asyncio.to_thread(write, job, 1)
            assert await read(follower, 3) == [3]
        lifecycle.cancel(job)

    run(told)
