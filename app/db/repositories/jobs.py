"""Every query on the jobs table; only `move` changes a job's state."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.core.errors import FencedOut
from app.core.names import QUEUES
from app.core.states import ACTIVE, predecessors
from app.db.repositories import events
from app.db.repositories.events import Entry
from app.db.session import epoch_now
from app.db.statements import in_parts
from app.db.tables import Artifact, Checkpoint, Job
from forger.wire import TERMINAL, JobState

Reason = tuple[str, str]
"""code and sentence"""
RESET_LOSSES: Mapping[str, Any] = MappingProxyType({"runner_losses": 0, "worker_losses": 0})
"""columns that a job sets when it has made progress: its lost attempts are counted from 0 again"""


class ActiveAttempt(NamedTuple):
    """An attempt that holds a job."""

    job_id: str
    kind: str
    fence: int
    owner: str
    expired: bool
    """whether its lease has expired"""


def add(session: Session, job_id: str, **values: Any) -> None:
    """Add a queued job with its first event."""
    session.add(
        Job(
            id=job_id,
            state=JobState.QUEUED,
            step=0,
            last_event=1,
            fence=0,
            **RESET_LOSSES,
            created_at=epoch_now(),
            queued_at=epoch_now(),
            rung_at=epoch_now(),
            **values,
        )
    )
    session.flush()
    events.append(session, job_id, 1, [("state", {"state": JobState.QUEUED})])


def find(session: Session, job_id: str, *, lock: bool = False) -> Job | None:
    """Return the row as the database has it now, None if there is none; `lock` locks it until the transaction ends."""
    query = select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def page(session: Session, limit: int, after: str | None, **filters: str | None) -> Sequence[Job]:
    """Return at most `limit` jobs older than the id `after`, newest first; `filters` are column values."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id < after)
    for column, value in filters.items():
        if value is not None:
            query = query.where(getattr(Job, column) == value)
    return session.scalars(query).all()


def existing(session: Session, job_ids: Collection[str]) -> set[str]:
    """Return those of the ids that exist."""
    return {job_id for part in in_parts(job_ids) for job_id in session.scalars(select(Job.id).where(Job.id.in_(part)))}


def remove(session: Session, job_id: str) -> None:
    """Delete the row with its events, points, checkpoints, artifacts and idempotency keys."""
    session.execute(delete(Job).where(Job.id == job_id))


def positions(session: Session, jobs: Collection[Job]) -> dict[str, int]:
    """Return the position in its queue, from 1, of each queued job of `jobs`, by job id.

    The jobs before the first of them are counted; those from the first to the last are numbered.
    """
    places: dict[str, int] = {}
    for queue in set(QUEUES.values()):
        kinds = [kind for kind, name in QUEUES.items() if name == queue]
        queued = [job for job in jobs if job.state == JobState.QUEUED and job.kind in kinds]
        if queued:
            places |= _places(session, kinds, {job.id: (job.queued_at, job.id) for job in queued})
    return places


def _places(session: Session, kinds: Collection[str], turns: Mapping[str, tuple[float, str]]) -> dict[str, int]:
    """Return the positions of the jobs in the queue of these kinds; `turns` are their (queued_at, id), by id."""
    waiting = (Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    turn, first, last = tuple_(Job.queued_at, Job.id), min(turns.values()), max(turns.values())
    before = session.scalar(select(func.count()).select_from(Job).where(*waiting, turn < first)) or 0
    place = func.row_number().over(order_by=(Job.queued_at, Job.id)).label("place")
    stretch = select(Job.id, place).where(*waiting, turn >= first, turn <= last).subquery()
    rows = session.execute(select(stretch).where(stretch.c.id.in_(turns)))
    return {row.id: before + row.place for row in rows}


def newest_events(session: Session, job_ids: Collection[str]) -> dict[str, int]:
    """Return the number of the newest event of each job, by job id."""
    queries = (select(Job.id, Job.last_event).where(Job.id.in_(part)) for part in in_parts(job_ids))
    return {row.id: row.last_event for query in queries for row in session.execute(query)}


def state_and_newest_event(session: Session, job_id: str) -> tuple[str, int] | None:
    """Return a job's state and the number of its newest event; None if there is no such job."""
    row = session.execute(select(Job.state, Job.last_event).where(Job.id == job_id)).one_or_none()
    return None if row is None else (row.state, row.last_event)


def change_state(
    session: Session,
    job_id: str,
    target: JobState,
    *,
    source: Collection[JobState],
    under_fence: int | None = None,
    reason: Reason | None = None,
    events_before: Sequence[Entry] = (),
    **values: Any,
) -> bool:
    """Move the job to `target` by one conditional UPDATE; add `events_before` and then the event of the move.

    Return False and change nothing if the job is not in a state of `source`, or its newest attempt is not
    `under_fence`. A job that is queued again keeps its place in the queue unless `values` set `queued_at`. Raises
    ValueError for a move that no job may make.
    """
    if illegal := set(source) - predecessors(target):
        raise ValueError(f"No job may go from {sorted(illegal)} to {target}.")
    conditions: list[ColumnElement[bool]] = [Job.id == job_id, Job.state.in_(source)]
    if under_fence is not None:
        conditions.append(Job.fence == under_fence)
    code, message = reason or (None, None)
    changed = {
        "state": target,
        "reason_code": code,
        "reason_message": message,
        **_derived_columns(target),
        **values,
    }
    seq = _update_counting_events(session, conditions, 1 + len(events_before), changed)
    if seq is None:
        return False
    event = {"state": target} if reason is None else {"state": target, "reason": {"code": code, "message": message}}
    events.append(session, job_id, seq, [*events_before, ("state", event)])
    return True


def lock(session: Session, job_id: str, fence: int, *, only_expired: bool = False) -> None:
    """Lock the job's row until commit.

    Raises FencedOut if the attempt `fence` does not hold the job, or if `only_expired` and its lease has not expired.
    """
    _write(session, job_id, fence, (), {}, only_expired=only_expired)


def write(session: Session, job_id: str, fence: int, *entries: Entry, **values: Any) -> None:
    """Set columns and add events. The row stays locked until commit.

    Raises FencedOut if the attempt `fence` does not hold the job.
    """
    _write(session, job_id, fence, entries, values)


def started_at_or_now() -> ColumnElement[float | None]:
    """Return the expression `started_at`, or the present time if it is null: the first attempt alone sets it."""
    return func.coalesce(Job.started_at, epoch_now())


def elapsed_s(session: Session, job_id: str) -> float:
    """Return the seconds since the start of the first attempt."""
    return session.scalars(select(epoch_now() - Job.started_at).where(Job.id == job_id)).one()


def at_least(step: int) -> ColumnElement[int]:
    """Return the larger of the job's step and `step` as an expression: a heartbeat may be older than the row."""
    return case((Job.step < step, step), else_=Job.step)


def active_attempts(session: Session) -> Sequence[ActiveAttempt]:
    """Return the attempts that hold jobs."""
    expired = (Job.lease_expires < epoch_now()).label("expired")
    query = select(Job.id, Job.kind, Job.fence, Job.owner, expired).where(Job.state.in_(ACTIVE))
    return [
        ActiveAttempt(row.id, row.kind, row.fence, row.owner or "", bool(row.expired)) for row in session.execute(query)
    ]


def due_for_ring(session: Session, kind: str, interval_s: float, limit: int) -> Sequence[str]:
    """Return the oldest queued jobs of a kind that were not rung within `interval_s`, and mark them as rung now."""
    stale = or_(Job.rung_at.is_(None), Job.rung_at < epoch_now() - interval_s)
    waiting = (Job.state == JobState.QUEUED, Job.kind == kind, stale)
    oldest = select(Job.id).where(*waiting).order_by(Job.queued_at, Job.id).limit(limit)
    ids = list(session.scalars(oldest))
    if not ids:
        return []
    ring = update(Job).where(Job.id.in_(ids), Job.state == JobState.QUEUED, stale).values(rung_at=epoch_now())
    rung = set(session.scalars(ring.returning(Job.id).execution_options(synchronize_session=False)))
    return [job_id for job_id in ids if job_id in rung]


def next_queued(session: Session, kinds: Collection[str]) -> tuple[str, str] | None:
    """Return id and kind of the oldest queued job of these kinds; None if there is none."""
    waiting = select(Job.id, Job.kind).where(Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    row = session.execute(waiting.order_by(Job.queued_at, Job.id).limit(1)).one_or_none()
    return None if row is None else (row.id, row.kind)


def _write(
    session: Session,
    job_id: str,
    fence: int,
    entries: Sequence[Entry],
    values: Mapping[str, Any],
    *,
    only_expired: bool = False,
) -> None:
    conditions = [Job.id == job_id, Job.fence == fence, Job.state.in_(ACTIVE)]
    if only_expired:
        conditions.append(Job.lease_expires < epoch_now())
    seq = _update_counting_events(session, conditions, len(entries), values)
    if seq is None:
        raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
    events.append(session, job_id, seq, entries)


def _derived_columns(target: JobState) -> dict[str, Any]:
    """Return the columns besides the state that a move to `target` sets."""
    changed: dict[str, Any] = {}
    if target not in ACTIVE:
        changed |= {"owner": None, "lease_expires": None, "eta_s": None}
    if target in TERMINAL:
        changed |= {"finished_at": epoch_now(), "stored_bytes": _kept_bytes()}
    if target == JobState.QUEUED:
        changed |= {"rung_at": epoch_now()}
    return changed


def _kept_bytes() -> ColumnElement[int]:
    """Return the sum of the sizes of the updated job's checkpoints and artifacts as an expression."""
    sums = (
        select(func.coalesce(func.sum(table.size), 0)).where(table.job_id == Job.id).correlate(Job).scalar_subquery()
        for table in (Checkpoint, Artifact)
    )
    return next(sums) + next(sums)


def _update_counting_events(
    session: Session, conditions: Collection[ColumnElement[bool]], events_: int, values: Mapping[str, Any]
) -> int | None:
    """Update the row and add `events_` to its event counter. Return the counter; None if no row meets `conditions`."""
    statement = update(Job).where(*conditions).values(last_event=Job.last_event + events_, **values)
    return session.scalar(statement.returning(Job.last_event).execution_options(synchronize_session=False))
