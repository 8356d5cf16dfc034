"""Queries on experiments, on their jobs, and on the evaluations of jobs."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.session import epoch_now
from app.db.statements import in_parts
from app.db.tables import Experiment, Job
from forger.wire import JobState


def add(session: Session, experiment_id: str, **values: Any) -> None:
    session.add(Experiment(id=experiment_id, created_at=epoch_now(), **values))
    session.flush()


def find(session: Session, experiment_id: str, *, lock: bool = False) -> Experiment | None:
    query = select(Experiment).where(Experiment.id == experiment_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def page(session: Session, limit: int, after: str | None) -> Sequence[Experiment]:
    """Return at most `limit` experiments older than the id `after`, newest first."""
    query = select(Experiment).order_by(Experiment.id.desc()).limit(limit)
    return session.scalars(query if after is None else query.where(Experiment.id < after)).all()


def states(session: Session, ids: Collection[str]) -> list[tuple[str, JobState, dict[str, Any]]]:
    """Return (experiment id, state, case) of each job of these experiments, oldest first."""
    query = select(Job.experiment_id, Job.state, Job.case).where(Job.experiment_id.in_(ids)).order_by(Job.id)
    return [(row.experiment_id, JobState(row.state), row.case or {}) for row in session.execute(query)]


def jobs(session: Session, experiment_id: str) -> Sequence[Job]:
    """Return the jobs of the experiment, oldest first."""
    return session.scalars(select(Job).where(Job.experiment_id == experiment_id).order_by(Job.id)).all()


def job_ids(session: Session, experiment_id: str) -> Sequence[str]:
    """Return the ids of the jobs of the experiment, without reading their rows."""
    return session.scalars(select(Job.id).where(Job.experiment_id == experiment_id)).all()


def remove(session: Session, experiment_id: str) -> None:
    """Delete the experiment; its jobs stay."""
    session.execute(delete(Experiment).where(Experiment.id == experiment_id))


def evaluations(session: Session, job_ids: Collection[str]) -> list[Job]:
    """Return the succeeded jobs that evaluated the weights of these trainings, oldest first."""
    done = select(Job).where(Job.kind == "evaluate", Job.state == JobState.SUCCEEDED)
    jobs = [row for part in in_parts(job_ids) for row in session.scalars(done.where(Job.source_job.in_(part)))]
    return sorted(jobs, key=lambda row: row.id)
