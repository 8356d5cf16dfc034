"""Queries for metrics: jobs by state, and what trains now, in one pass."""

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.core.states import ACTIVE
from app.db.session import epoch_now
from app.db.tables import Job
from forger.wire import TRAIN, JobState

OWN_RECIPE = "own"
"""family of a job that came with a whole recipe"""


@dataclass(frozen=True, slots=True)
class Load:
    jobs: dict[str, int]
    """by state, every state named"""
    oldest_s: float
    """how long the job has waited that waits longest"""
    takeovers: int
    """attempts beyond the first of each job"""
    pace: dict[str, float]
    """steps per second of what trains now, by family"""


def measure(session: Session) -> Load:
    repeated = func.sum(case((Job.fence > 1, Job.fence - 1), else_=0))
    rows = session.execute(select(Job.state, func.count(), repeated).group_by(Job.state)).all()
    counts = {state: count for state, count, _ in rows}
    return Load(
        jobs={state.value: counts.get(state.value, 0) for state in JobState},
        oldest_s=_oldest_s(session),
        takeovers=sum(more for _, _, more in rows),
        pace=_pace(session),
    )


def _oldest_s(session: Session) -> float:
    """A job whose attempt was lost keeps its place in the queue, and has waited since then."""
    since = case((Job.heartbeat_at > Job.queued_at, Job.heartbeat_at), else_=Job.queued_at)
    first = select(func.min(since)).where(Job.state == JobState.QUEUED).scalar_subquery()
    return max(0.0, session.scalar(select(epoch_now() - first)) or 0.0)


def _pace(session: Session) -> dict[str, float]:
    """A job's estimate of the time left says how quick it has been."""
    rate = func.sum((Job.total - Job.step) / Job.eta_s)
    # Grouped by kind, not chosen by it: SQLite would go by the index of kinds, through all there ever were.
    works = select(Job.kind, Job.family, rate).where(Job.state.in_(ACTIVE), Job.eta_s > 0)
    rates = session.execute(works.group_by(Job.kind, Job.family)).all()
    return {family or OWN_RECIPE: float(pace) for kind, family, pace in rates if kind == TRAIN}
