"""Queries on the event log: durable, and numbered per job."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db.session import epoch_now
from app.db.tables import Event

Entry = tuple[str, dict[str, Any]]
"""type and data of an event"""


def append(session: Session, job_id: str, last: int, entries: Sequence[Entry]) -> None:
    """Add events; `last` is the number of the last of them, from the job's event counter."""
    first = last - len(entries) + 1
    rows = [
        {"job_id": job_id, "seq": seq, "type": type_, "data": data} for seq, (type_, data) in enumerate(entries, first)
    ]
    if rows:
        session.execute(insert(Event).values(at=epoch_now()), rows)


def of_type(session: Session, job_id: str, type_: str) -> Sequence[Event]:
    """Return the job's events of one type, oldest first."""
    return session.scalars(select(Event).where(Event.job_id == job_id, Event.type == type_).order_by(Event.seq)).all()


def after(session: Session, job_id: str, seq: int, limit: int) -> Sequence[Event]:
    """Return at most `limit` events after number `seq`, oldest first."""
    query = select(Event).where(Event.job_id == job_id, Event.seq > seq).order_by(Event.seq).limit(limit)
    return session.scalars(query).all()
