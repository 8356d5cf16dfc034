"""Stream events to any number of followers: one reader per process polls the log and wakes all followers.

A follower first reads older events from the database, and then gets new ones from the reader. A follower that falls
behind gets nothing from the reader until it has read the missed events from the database. So each follower gets every
event once and in order. A log is that of one job, whose events are numbered by `seq`, or that of all jobs (None),
whose events are numbered by `position`. The followers' database reads run on two threads, and equal reads run once:
opening many streams at once, or the end of a job that many follow, hardly delays other requests.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.concurrency import Coalescer, Limiter
from app.core.errors import NotFound
from app.core.limits import MAX_EVENT_STREAMS, MAX_REPLY_EVENTS
from app.core.logging import get_logger
from app.db.repositories import events as event_log
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.jobs import lifecycle
from app.services.views import EventView
from forger.wire import TERMINAL

log = get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

POLL_S = 0.25
THREADS = 2
MAX_PENDING_EVENTS = 1000
"""events that wait for a slow follower at most"""


Followed = str | None
"""the log that is followed: the id of a job, or None for all jobs"""
Write = Callable[[EventView, Followed], bytes]
"""a function that serialises an event of a log"""


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event with its number in a log and its serialised text, which all followers of the log share."""

    event: EventView
    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class LogState:
    """A job's state, and the number of its newest event."""

    state: str
    newest: int

    def ended(self, after: int) -> bool:
        """Return whether no event will come after number `after`."""
        return self.state in TERMINAL and self.newest <= after


class Follower:
    """One reader of one log's events; `seq` is the number of the last event that it got."""

    def __init__(self, followed: Followed, seq: int, write: Write, reads: Coalescer) -> None:
        self.followed, self.seq, self._write, self._reads = followed, seq, write, reads
        self._pending: deque[WrittenEvent] = deque()
        self._behind = True
        self._wake = asyncio.Event()

    async def next_events(self, wait_s: float) -> Sequence[WrittenEvent]:
        """Wait for events after `seq` and return them; return none after `wait_s` seconds without any."""
        if not self._pending and not self._behind:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), wait_s)
            except TimeoutError:
                return ()
        events = await self._read_missed() if self._behind else self._take_pending()
        self.seq = events[-1].number if events else self.seq
        return events

    def add(self, events: Sequence[WrittenEvent]) -> None:
        """Add the next events."""
        self._pending.extend(events)
        if len(self._pending) > MAX_PENDING_EVENTS:
            self.fall_behind()
        self._wake.set()

    def fall_behind(self) -> None:
        """Drop the pending events: the follower reads on from the database."""
        self._pending.clear()
        self._behind = True
        self._wake.set()

    def _take_pending(self) -> Sequence[WrittenEvent]:
        """Return the pending events in order, each once: the reader may have added some that were read already."""
        pending, self._pending = self._pending, deque()
        new: dict[int, WrittenEvent] = {one.number: one for one in pending if one.number > self.seq}
        return [new[seq] for seq in sorted(new)]

    async def _read_missed(self) -> Sequence[WrittenEvent]:
        """Read a part of the missed events. The reader adds new ones meanwhile; `_take_pending` drops doubles."""
        self._behind = False
        events = await self._reads.run(_read_part, self.followed, self.seq, self._write)
        self._behind |= len(events) == MAX_REPLY_EVENTS
        return events


def _read_part(followed: Followed, after: int, write: Write) -> Sequence[WrittenEvent]:
    """Read a part of the log, and serialise it on the same thread."""
    if followed is None:
        events, _ = lifecycle.all_events(after=after, limit=MAX_REPLY_EVENTS)
    else:
        events = lifecycle.events(followed, after=after, limit=MAX_REPLY_EVENTS)
    return _written(followed, events, write)


def _written(followed: Followed, events: Iterable[EventView], write: Write) -> list[WrittenEvent]:
    return [WrittenEvent(event, _number(followed, event), write(event, followed)) for event in events]


def _number(followed: Followed, event: EventView) -> int:
    """Return the event's number in the followed log."""
    return event.position if followed is None else event.seq


@dataclass(slots=True)
class _Tail:
    """The followers of a log, and the number of the newest event when the log was last read; None: not read yet."""

    seq: int | None = None
    followers: set[Follower] = field(default_factory=set)


class EventStream:
    """The events of all followed logs, one object per process and event loop.

    It polls the logs while there are followers; `write` serialises an event.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._tails: dict[Followed, _Tail] = {}
        self._reader: asyncio.Task[Any] | None = None
        self._reads = Coalescer("feed", THREADS)
        full = (
            f"{MAX_EVENT_STREAMS} streams of events are open already (streams). "
            "Close some, or request the events as JSON."
        )
        self._gate = Limiter(MAX_EVENT_STREAMS, full, retry_after=5)

    def close(self) -> None:
        self._reads.close()

    def admit(self) -> AbstractContextManager[None]:
        """Return the context in which a stream is open. Raises Busy if too many are."""
        return self._gate.place()

    async def log_state(self, job_id: str) -> LogState:
        """Return the state of a job's log. Raises NotFound."""
        return await self._reads.run(_log_state, job_id)

    async def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of a database read; equal reads at the same moment run once."""
        return await self._reads.run(call, *args, **kwargs)

    @contextmanager
    def follow(self, followed: Followed, after: int) -> Iterator[Follower]:
        """Yield a follower of the log's events after number `after`. Use it in the event loop."""
        follower = Follower(followed, after, self._write, self._reads)
        self._tails.setdefault(followed, _Tail()).followers.add(follower)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        try:
            yield follower
        finally:
            followers = self._tails[followed].followers
            followers.remove(follower)
            if not followers:
                del self._tails[followed]

    async def _read(self) -> None:
        while self._tails:
            last_read = {followed: tail.seq for followed, tail in self._tails.items()}
            try:
                news = await asyncio.to_thread(read_new_events, last_read)
                for followed, (newest, events) in news.items():
                    if followed in self._tails:
                        self._distribute(self._tails[followed], newest, _written(followed, events, self._write))
            except SQLAlchemyError as error:  # the database may be restarting: the next round tries again
                log.warning("events_not_read", error=str(error))
            except Exception:  # all followers depend on the reader: it must go on
                log.exception("events_not_sent")
            await asyncio.sleep(POLL_S)

    def _distribute(self, tail: _Tail, newest: int, events: Sequence[WrittenEvent]) -> None:
        """Add the events to all followers; let followers read by themselves at the first round or if too many came."""
        first = tail.seq is None
        tail.seq = newest
        for follower in tail.followers:
            if events and not first:
                follower.add(events)
            elif follower.seq < newest:
                follower.fall_behind()


def _log_state(job_id: str) -> LogState:
    with unit_of_work(read_only=True) as session:
        state = rows.state_and_newest_event(session, job_id)
    if state is None:
        raise NotFound(f"There is no job '{job_id}'. GET /jobs lists them.", code="job_not_found")
    return LogState(*state)


def read_new_events(last_read: Mapping[Followed, int | None]) -> dict[Followed, tuple[int, list[EventView]]]:
    """Return, for each log with new events, the newest number and the events after `last_read`.

    The events are omitted if there are more than MAX_REPLY_EVENTS, or if `last_read` is None.
    """
    with unit_of_work(read_only=True) as session:
        jobs = [job_id for job_id in last_read if job_id is not None]
        newest: dict[Followed, int] = dict(rows.newest_events(session, jobs).items())
        if None in last_read:
            newest[None] = event_log.newest_position(session)
        news = {}
        for followed, last in newest.items():
            seq = last_read[followed]
            if seq != last:
                readable = seq is not None and last - seq <= MAX_REPLY_EVENTS
                new = _read_after(session, followed, seq or 0) if readable else []
                # More events may have been added since `newest` was read.
                news[followed] = _number(followed, new[-1]) if new else last, new
        return news


def _read_after(session: Session, followed: Followed, number: int) -> list[EventView]:
    if followed is None:
        logged = event_log.after_position(session, number, MAX_REPLY_EVENTS)
    else:
        logged = event_log.after(session, followed, number, MAX_REPLY_EVENTS)
    return [views.event(row) for row in logged]
