"""Queries on the whole database: its identity, its queued jobs and its stored bytes."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import Artifact, Dataset, Identity, Job, ModelVersion
from forger.wire import JobState


def lock(session: Session) -> None:
    """Wait for other transactions that hold this lock, and hold it until the transaction ends.

    SQLite runs writing transactions one after the other anyway.
    """
    session.execute(select(Identity.id).with_for_update())


def queued(session: Session) -> int:
    """Return the number of queued jobs."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED)) or 0


def stored_bytes(session: Session) -> int:
    """Return the bytes of all jobs, of exports that no job lists as an artifact, and of uploaded datasets."""
    listed = select(Artifact.id).where(Artifact.sha256 == ModelVersion.export_sha256).exists()
    sums = (
        select(func.sum(Job.stored_bytes)),
        select(func.sum(ModelVersion.export_bytes)).where(~listed),
        select(func.sum(Dataset.report["archive_bytes"].as_integer())),
    )
    return sum(int(session.scalar(query) or 0) for query in sums)


def identity(session: Session) -> str:
    """Return the id that distinguishes this database from others; a copy has the same."""
    return session.scalars(select(Identity.id)).one()
