"""Queries for metrics: jobs by state, and the speed of running trainings."""

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.core.states import ACTIVE
from app.db.session import epoch_now
from app.db.tables import Job
from forger.wire import TRAIN, JobState

NO_FAMILY = "own"
"""label of a training whose client wrote the whole recipe"""


@dataclass(frozen=True, slots=True)
class Load:
    jobs: dict[str, int]
    """number of jobs by state; every state is present"""
    oldest_s: float
    """seconds that the oldest queued job has waited; 0 if none is queued"""
    takeovers: int
    """attempts beyond each job's first"""
    steps_per_s: dict[str, float]
    """steps per second of running trainings, by family"""


def measure(session: Session) -> Load:
    repeated = func.sum(case((Job.fence > 1, Job.fence - 1), else_=0))
    rows = session.execute(select(Job.state, func.count(), repeated).group_by(Job.state)).all()
    counts = {state: count for state, count, _ in rows}
    return Load(
        jobs={state.value: counts.get(state.value, 0) for state in JobState},
        oldest_s=_oldest_s(session),
        takeovers=sum(more for _, _, more in rows),
        steps_per_s=_steps_per_s(session),
    )


def _oldest_s(session: Session) -> float:
    """Return the seconds that the oldest queued job has waited.

    A job whose attempt was lost keeps its queued_at, but has waited only since its last heartbeat.
    """
    since = case((Job.heartbeat_at > Job.queued_at, Job.heartbeat_at), else_=Job.queued_at)
    first = select(func.min(since)).where(Job.state == JobState.QUEUED).scalar_subquery()
    return max(0.0, session.scalar(select(epoch_now() - first)) or 0.0)


def _steps_per_s(session: Session) -> dict[str, float]:
    """Return the sum of the running trainings' speeds by family, computed from their steps and seconds left."""
    rate = func.sum((Job.total - Job.step) / Job.eta_s)
    # Grouped by kind, not filtered by it: SQLite would use the index on kind and read every job that ever was.
    works = select(Job.kind, Job.family, rate).where(Job.state.in_(ACTIVE), Job.eta_s > 0)
    rates = session.execute(works.group_by(Job.kind, Job.family)).all()
    return {family or NO_FAMILY: float(rate) for kind, family, rate in rates if kind == TRAIN}
