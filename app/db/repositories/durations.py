"""Queries on how long trainings took, and how long running and queued ones take."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.states import ACTIVE
from app.db.session import epoch_now
from app.db.tables import Job
from forger.wire import TRAIN, JobState

LOOKED_AT, LINE = 200, 200
"""of the newest jobs that have succeeded, and of those that wait, the first"""


class Done(NamedTuple):
    family: str | None
    took_s: float
    work_s: float


def newest(session: Session) -> list[Done]:
    """Trainings that went through in one attempt from their first step to their last, newest first."""
    last = select(Job).where(Job.state == JobState.SUCCEEDED).order_by(Job.id.desc()).limit(LOOKED_AT).subquery()
    found = select(last.c.family, last.c.finished_at - last.c.started_at, last.c.work_s).where(
        last.c.kind == TRAIN, last.c.fence == 1, last.c.work_s > 0
    )
    return [Done(*row) for row in session.execute(found.order_by(last.c.id.desc()))]


def line(session: Session) -> tuple[list[float | None], dict[str, float | None]]:
    """Return the seconds left of each running training, and those that each of the first LINE waiting ones takes."""
    left = func.coalesce(Job.eta_s, Job.takes_s - (epoch_now() - Job.started_at))
    runs = select(left).where(Job.state.in_(ACTIVE), Job.kind == TRAIN)
    waits = select(Job.id, Job.takes_s).where(Job.state == JobState.QUEUED, Job.kind == TRAIN)
    running: list[float | None] = [None if seconds is None else max(0.0, seconds) for seconds in session.scalars(runs)]
    ordered = session.execute(waits.order_by(Job.queued_at, Job.id).limit(LINE))
    return running, {row.id: row.takes_s for row in ordered}
