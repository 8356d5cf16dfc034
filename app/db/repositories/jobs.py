"""Every query on the job row. A state changes in `move` and nowhere else."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.core.errors import FencedOut
from app.core.names import QUEUES
from app.core.states import ACTIVE, sources
from app.db.repositories import events
from app.db.repositories.events import Entry
from app.db.session import epoch_now
from app.db.statements import in_parts
from app.db.tables import Artifact, Checkpoint, Job
from forger.wire import TERMINAL, JobState

Reason = tuple[str, str]
"""Code and sentence."""
GOT_ON: Mapping[str, Any] = MappingProxyType({"fruitless": 0, "abandoned": 0})
"""what a job sets that has got on: its lost attempts are counted anew"""


class Held(NamedTuple):
    """An attempt's hold on a job."""

    job_id: str
    kind: str
    fence: int
    owner: str
    expired: bool
    """whether its lease has run out"""


def add(session: Session, job_id: str, **values: Any) -> None:
    """A new queued job with its first event."""
    session.add(
        Job(
            id=job_id,
            state=JobState.QUEUED,
            step=0,
            last_event=1,
            fence=0,
            **GOT_ON,
            created_at=epoch_now(),
            queued_at=epoch_now(),
            rung_at=epoch_now(),
            **values,
        )
    )
    session.flush()
    events.append(session, job_id, 1, [("state", {"state": JobState.QUEUED})])


def find(session: Session, job_id: str, *, lock: bool = False) -> Job | None:
    """The row as the database has it now; `lock` holds it until the transaction ends."""
    query = select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def page(session: Session, limit: int, after: str | None, **filters: str | None) -> Sequence[Job]:
    """Newest first, beyond the id `after`."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id < after)
    for column, value in filters.items():
        if value is not None:
            query = query.where(getattr(Job, column) == value)
    return session.scalars(query).all()


def existing(session: Session, job_ids: Collection[str]) -> set[str]:
    """Those of the ids that there are."""
    return {found for part in in_parts(job_ids) for found in session.scalars(select(Job.id).where(Job.id.in_(part)))}


def remove(session: Session, job_id: str) -> None:
    """With its events, points, checkpoints, artifacts and keys."""
    session.execute(delete(Job).where(Job.id == job_id))


def positions(session: Session, jobs: Collection[Job]) -> dict[str, int]:
    """Place in its queue, from 1, of those of the jobs that are queued: what waits before the first of them is counted,
    and the stretch from there to the last is numbered."""
    places: dict[str, int] = {}
    for queue in set(QUEUES.values()):
        kinds = [kind for kind, name in QUEUES.items() if name == queue]
        queued = [job for job in jobs if job.state == JobState.QUEUED and job.kind in kinds]
        if queued:
            places |= _places(session, kinds, {job.id: (job.queued_at, job.id) for job in queued})
    return places


def _places(session: Session, kinds: Collection[str], turns: Mapping[str, tuple[float, str]]) -> dict[str, int]:
    """Of jobs that wait in the queue of these kinds, by their ids; the order of turns is that of the queue."""
    waiting = (Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    turn, first, last = tuple_(Job.queued_at, Job.id), min(turns.values()), max(turns.values())
    before = session.scalar(select(func.count()).select_from(Job).where(*waiting, turn < first)) or 0
    place = func.row_number().over(order_by=(Job.queued_at, Job.id)).label("place")
    stretch = select(Job.id, place).where(*waiting, turn >= first, turn <= last).subquery()
    rows = session.execute(select(stretch).where(stretch.c.id.in_(turns)))
    return {row.id: before + row.place for row in rows}


def newest_events(session: Session, job_ids: Collection[str]) -> dict[str, int]:
    """Number of the newest event of each of the jobs."""
    queries = (select(Job.id, Job.last_event).where(Job.id.in_(part)) for part in in_parts(job_ids))
    return {row.id: row.last_event for query in queries for row in session.execute(query)}


def standing(session: Session, job_id: str) -> tuple[str, int] | None:
    """Return a job's state and the number of its newest event, without its row."""
    found = session.execute(select(Job.state, Job.last_event).where(Job.id == job_id)).one_or_none()
    return None if found is None else (found.state, found.last_event)


def move(
    session: Session,
    job_id: str,
    target: JobState,
    *,
    source: Collection[JobState],
    under: int | None = None,
    reason: Reason | None = None,
    beside: Sequence[Entry] = (),
    **values: Any,
) -> bool:
    """One conditional UPDATE and its event, after those `beside`.

    False unless the job was in `source` (held `under` a fence). A job that is queued again keeps its place in the queue
    unless `values` say otherwise: whoever queues it by choice sets `queued_at`.
    """
    if illegal := set(source) - sources(target):
        raise ValueError(f"No job may go from {sorted(illegal)} to {target}.")
    conditions: list[ColumnElement[bool]] = [Job.id == job_id, Job.state.in_(source)]
    if under is not None:
        conditions.append(Job.fence == under)
    code, message = reason or (None, None)
    changed = {
        "state": target,
        "reason_code": code,
        "reason_message": message,
        **_consequences(target),
        **values,
    }
    seq = _bump(session, conditions, 1 + len(beside), changed)
    if seq is None:
        return False
    told = {"state": target} if reason is None else {"state": target, "reason": {"code": code, "message": message}}
    events.append(session, job_id, seq, [*beside, ("state", told)])
    return True


def write(
    session: Session, job_id: str, fence: int, *entries: Entry, only_expired: bool = False, **values: Any
) -> None:
    """One fenced write: new values of the row and events, or FencedOut. The row stays locked until commit."""
    conditions = [Job.id == job_id, Job.fence == fence, Job.state.in_(ACTIVE)]
    if only_expired:
        conditions.append(Job.lease_expires < epoch_now())
    seq = _bump(session, conditions, len(entries), values)
    if seq is None:
        raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
    events.append(session, job_id, seq, entries)


def first_start() -> ColumnElement[float | None]:
    """The start of the first attempt, kept by later ones."""
    return func.coalesce(Job.started_at, epoch_now())


def elapsed_s(session: Session, job_id: str) -> float:
    """Seconds since the start of the first attempt."""
    return session.scalars(select(epoch_now() - Job.started_at).where(Job.id == job_id)).one()


def no_less(step: int) -> ColumnElement[int]:
    """The job's step, raised to `step`: a heartbeat may be older than what is recorded."""
    return case((Job.step < step, step), else_=Job.step)


def held(session: Session) -> Sequence[Held]:
    """Every job that an attempt holds."""
    expired = (Job.lease_expires < epoch_now()).label("expired")
    query = select(Job.id, Job.kind, Job.fence, Job.owner, expired).where(Job.state.in_(ACTIVE))
    return [Held(row.id, row.kind, row.fence, row.owner or "", bool(row.expired)) for row in session.execute(query)]


def due_for_ring(session: Session, kind: str, interval_s: float, limit: int) -> Sequence[str]:
    """Marks the longest waiting jobs of a kind, of those not rung for `interval_s`, as rung now, and returns them."""
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
    """Id and kind of the job of these kinds that has waited longest."""
    waiting = select(Job.id, Job.kind).where(Job.state == JobState.QUEUED, Job.kind.in_(kinds))
    found = session.execute(waiting.order_by(Job.queued_at, Job.id).limit(1)).one_or_none()
    return None if found is None else (found.id, found.kind)


def _consequences(target: JobState) -> dict[str, Any]:
    """What a move sets besides the state."""
    changed: dict[str, Any] = {}
    if target not in ACTIVE:
        changed |= {"owner": None, "lease_expires": None, "eta_s": None}
    if target in TERMINAL:
        changed |= {"finished_at": epoch_now(), "stored_bytes": _kept_bytes()}
    if target == JobState.QUEUED:
        changed |= {"rung_at": epoch_now()}
    return changed


def _kept_bytes() -> ColumnElement[int]:
    """Of the checkpoints and artifacts of the job that is updated."""
    sums = (
        select(func.coalesce(func.sum(table.size), 0)).where(table.job_id == Job.id).correlate(Job).scalar_subquery()
        for table in (Checkpoint, Artifact)
    )
    return next(sums) + next(sums)


def _bump(
    session: Session, conditions: Collection[ColumnElement[bool]], events_: int, values: Mapping[str, Any]
) -> int | None:
    statement = update(Job).where(*conditions).values(last_event=Job.last_event + events_, **values)
    return session.scalar(statement.returning(Job.last_event).execution_options(synchronize_session=False))
