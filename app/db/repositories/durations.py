"""Queries on the durations of finished, running and queued trainings."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.names import QUEUES
from app.core.states import ACTIVE
from app.db.session import epoch_now
from app.db.tables import Job
from forger.wire import TRAIN, JobState

MAX_FINISHED, MAX_QUEUED = 200, 200
"""newest succeeded jobs, and first queued jobs of the trainings' queue, that are read"""
_KINDS = [kind for kind, queue in QUEUES.items() if queue == QUEUES[TRAIN]]
"""kinds of jobs that share slots with trainings"""


class FinishedTraining(NamedTuple):
    family: str | None
    took_s: float
    work_s: float


def newest_finished(session: Session) -> list[FinishedTraining]:
    """Return trainings that succeeded in one attempt, newest first, among the newest MAX_FINISHED succeeded jobs."""
    last = select(Job).where(Job.state == JobState.SUCCEEDED).order_by(Job.id.desc()).limit(MAX_FINISHED).subquery()
    trainings = select(last.c.family, last.c.finished_at - last.c.started_at, last.c.work_s).where(
        last.c.kind == TRAIN, last.c.fence == 1, last.c.work_s > 0
    )
    return [FinishedTraining(*row) for row in session.execute(trainings.order_by(last.c.id.desc()))]


def running_and_queued(session: Session) -> tuple[list[float | None], dict[str, float | None]]:
    """Return the seconds left of each running job in the trainings' queue, and those that each queued one takes.

    A value of None is unknown. Only the first MAX_QUEUED queued jobs are returned, by job id.
    """
    remaining_s = func.coalesce(Job.eta_s, Job.takes_s - (epoch_now() - Job.started_at))
    runs = select(remaining_s).where(Job.state.in_(ACTIVE), Job.kind.in_(_KINDS))
    waits = select(Job.id, Job.takes_s).where(Job.state == JobState.QUEUED, Job.kind.in_(_KINDS))
    running: list[float | None] = [None if seconds is None else max(0.0, seconds) for seconds in session.scalars(runs)]
    ordered = session.execute(waits.order_by(Job.queued_at, Job.id).limit(MAX_QUEUED))
    return running, {row.id: row.takes_s for row in ordered}
