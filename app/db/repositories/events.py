"""Queries on the event log: durable, numbered per job (`seq`) and over all jobs (`position`)."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.db.session import epoch_now
from app.db.tables import Event, EventCounter

Entry = tuple[str, dict[str, Any]]
"""type and data of an event"""


def append(session: Session, job_id: str, last: int, entries: Sequence[Entry]) -> None:
    """Add events; `last` is the number of the last of them, from the job's event counter."""
    if not entries:
        return
    # A transaction that adds events waits here for the others to commit: positions are committed in order.
    counted = update(EventCounter).values(last=EventCounter.last + len(entries)).returning(EventCounter.last)
    newest = session.scalars(counted.execution_options(synchronize_session=False)).one()
    rows = [
        {"job_id": job_id, "seq": last - later, "position": newest - later, "type": type_, "data": data}
        for later, (type_, data) in zip(reversed(range(len(entries))), entries, strict=True)
    ]
    session.execute(insert(Event).values(at=epoch_now()), rows)


def of_type(session: Session, job_id: str, type_: str) -> Sequence[Event]:
    """Return the job's events of one type, oldest first."""
    return session.scalars(select(Event).where(Event.job_id == job_id, Event.type == type_).order_by(Event.seq)).all()


def after(session: Session, job_id: str, seq: int, limit: int) -> Sequence[Event]:
    """Return at most `limit` events after number `seq`, oldest first."""
    query = select(Event).where(Event.job_id == job_id, Event.seq > seq).order_by(Event.seq).limit(limit)
    return session.scalars(query).all()


def newest_position(session: Session) -> int:
    """Return the position of the newest event of all jobs; 0 if there has been none."""
    return session.scalars(select(EventCounter.last)).one()


def after_position(
    session: Session, position: int, limit: int, job_ids: Collection[str] = (), types: Collection[str] = ()
) -> Sequence[Event]:
    """Return at most `limit` events after `position`, in order, of all jobs and types or of these."""
    query = select(Event).where(Event.position > position).order_by(Event.position).limit(limit)
    if job_ids:
        query = query.where(Event.job_id.in_(job_ids))
    if types:
        query = query.where(Event.type.in_(types))
    return session.scalars(query).all()
