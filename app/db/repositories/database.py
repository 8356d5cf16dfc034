"""Facts about the whole database: its id, how many jobs wait in it, how many bytes are kept."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import Artifact, Dataset, Identity, Job, ModelVersion
from forger.wire import JobState


def lock(session: Session) -> None:
    """Until the transaction ends no other gets past here. SQLite's writers come one after the other anyway."""
    session.execute(select(Identity.id).with_for_update())


def queued(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED)) or 0


def stored_bytes(session: Session) -> int:
    """Of all jobs, of exports whose jobs are gone or never listed them, and of uploaded datasets."""
    listed = select(Artifact.id).where(Artifact.sha256 == ModelVersion.export_sha256).exists()
    sums = (
        select(func.sum(Job.stored_bytes)),
        select(func.sum(ModelVersion.export_bytes)).where(~listed),
        select(func.sum(Dataset.report["archive_bytes"].as_integer())),
    )
    return sum(int(session.scalar(query) or 0) for query in sums)


def own(session: Session) -> str:
    return session.scalars(select(Identity.id)).one()
