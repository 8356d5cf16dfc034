"""Stream events to any number of followers: one reader per process polls the log and wakes them all.

A follower reads what lies behind it from the database itself, once; from then on it is fed. One that cannot keep up is
fed no more until it has read on by itself. So each is told every event once and in order, whatever comes between.
Whatever followers ask of the database goes through two threads, which answer equal questions together: opening many
streams at once, or the end of a job that many follow, takes little from other requests.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.core.coalescing import Coalescer
from app.core.errors import NotFound
from app.core.limiter import Gate
from app.core.limits import EVENTS, STREAMS
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
HELD = 1000
"""events held for a follower that is slow"""


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and how it is written for all followers."""

    event: EventView
    text: bytes


Write = Callable[[EventView], bytes]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands: its state, and the number of its newest event."""

    state: str
    newest: int

    def over(self, after: int) -> bool:
        """Whether nothing will come after the event of that number."""
        return self.state in TERMINAL and self.newest <= after


class Follower:
    """Of one job; `seq` is the newest event it was told."""

    def __init__(self, job_id: str, seq: int, write: Write, questions: Coalescer) -> None:
        self.job_id, self.seq, self._write, self._questions = job_id, seq, write, questions
        self._fed: deque[Told] = deque()
        self._behind = True
        self._rung = asyncio.Event()

    async def news(self, wait_s: float) -> Sequence[Told]:
        """The events after `seq`, as soon as there are any; none when there were none for so long."""
        if not self._fed and not self._behind:
            self._rung.clear()
            try:
                await asyncio.wait_for(self._rung.wait(), wait_s)
            except TimeoutError:
                return ()
        found = await self._read_on() if self._behind else self._take()
        self.seq = found[-1].event.seq if found else self.seq
        return found

    def feed(self, told: Sequence[Told]) -> None:
        """These come next, after what it was fed before."""
        self._fed.extend(told)
        if len(self._fed) > HELD:
            self.send_back()
        self._rung.set()

    def send_back(self) -> None:
        """To the database, which has more than it was fed."""
        self._fed.clear()
        self._behind = True
        self._rung.set()

    def _take(self) -> Sequence[Told]:
        """Once each, though a reader that looked while events came may have fed some twice."""
        fed, self._fed = self._fed, deque()
        fresh: dict[int, Told] = {told.event.seq: told for told in fed if told.event.seq > self.seq}
        return [fresh[seq] for seq in sorted(fresh)]

    async def _read_on(self) -> Sequence[Told]:
        """It is fed again from the moment at which the last part is read: what comes twice is told once."""
        self._behind = False
        found = await self._questions.ask(_part, self.job_id, self.seq, self._write)
        self._behind |= len(found) == EVENTS
        return found


def _part(job_id: str, after: int, write: Write) -> Sequence[Told]:
    """Return a part of the log, written on the thread that reads it."""
    return [Told(event, write(event)) for event in lifecycle.events(job_id, after=after, limit=EVENTS)]


@dataclass(slots=True)
class _Tail:
    """The end of a job's log as it was last seen; None: it was not looked at yet."""

    seq: int | None = None
    followers: set[Follower] = field(default_factory=set)


class Feed:
    """One per process and event loop. It reads while somebody follows; `write` is called once for each event."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._tails: dict[str, _Tail] = {}
        self._reader: asyncio.Task[Any] | None = None
        self._questions = Coalescer("feed", THREADS)
        full = f"{STREAMS} streams of events are open already (streams). Close some, or ask for the events as JSON."
        self._gate = Gate(STREAMS, full, retry_after=5)

    def close(self) -> None:
        self._questions.close()

    def admitted(self) -> AbstractContextManager[None]:
        """Around all of a stream. Raises Busy."""
        return self._gate.entered()

    async def standing(self, job_id: str) -> Standing:
        """Raises NotFound."""
        return await self._questions.ask(_standing, job_id)

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns, which followers of one job ask for at the same moment."""
        return await self._questions.ask(call, *args, **kwargs)

    @contextmanager
    def follow(self, job_id: str, after: int) -> Iterator[Follower]:
        """For the time of the block, in the event loop."""
        follower = Follower(job_id, after, self._write, self._questions)
        self._tails.setdefault(job_id, _Tail()).followers.add(follower)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        try:
            yield follower
        finally:
            followers = self._tails[job_id].followers
            followers.remove(follower)
            if not followers:
                del self._tails[job_id]

    async def _read(self) -> None:
        while self._tails:
            seen = {job_id: tail.seq for job_id, tail in self._tails.items()}
            try:
                found = await asyncio.to_thread(look, seen)
                for job_id, (newest, events) in found.items():
                    if job_id in self._tails:
                        self._tell(self._tails[job_id], newest, [Told(event, self._write(event)) for event in events])
            except SQLAlchemyError as error:  # the database may be restarting: the next round tries again
                log.warning("events_not_read", error=str(error))
            except Exception:  # the reader outlives it: all followers depend on it
                log.exception("events_not_told")
            await asyncio.sleep(POLL_S)

    def _tell(self, tail: _Tail, newest: int, told: Sequence[Told]) -> None:
        """Who follows since before the log was looked at, or misses more than is fed, reads for himself."""
        first = tail.seq is None
        tail.seq = newest
        for follower in tail.followers:
            if told and not first:
                follower.feed(told)
            elif follower.seq < newest:
                follower.send_back()


def _standing(job_id: str) -> Standing:
    with unit_of_work(read_only=True) as session:
        found = rows.standing(session, job_id)
    if found is None:
        raise NotFound(f"There is no job '{job_id}'. GET /jobs lists them.", code="job_not_found")
    return Standing(*found)


def look(seen: Mapping[str, int | None]) -> dict[str, tuple[int, list[EventView]]]:
    """Of the jobs that have news: number of the newest event, and those that were not seen; none where it is many."""
    with unit_of_work(read_only=True) as session:
        newest = rows.newest_events(session, seen)
        found = {}
        for job_id, last in newest.items():
            seq = seen[job_id]
            if seq != last:
                few = seq is not None and last - seq <= EVENTS
                events = event_log.after(session, job_id, seq or 0, EVENTS) if few else ()
                told = [views.event(row) for row in events]
                found[job_id] = told[-1].seq if told else last, told  # more may have come since `newest` was read
        return found
