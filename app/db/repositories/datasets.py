"""Uploaded datasets, and who needs them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import Dataset, Job, ModelVersion
from models.spec.upgrade import read_recipe


def add(session: Session, **values: Any) -> bool:
    """False when there is one of that name."""
    return insert_missing(session, Dataset, {"id": new_id("data"), "created_at": epoch_now(), **values})


def find(session: Session, name: str, *, lock: bool = False) -> Dataset | None:
    query = select(Dataset).where(Dataset.name == name)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def infos(session: Session) -> Sequence[dict[str, Any]]:
    """The DatasetInfo of each, oldest first."""
    return session.scalars(select(Dataset.info).order_by(Dataset.id)).all()


def files(session: Session) -> set[tuple[str, str]]:
    """The sha256 of archive and index of each."""
    found = session.execute(select(Dataset.archive_sha256, Dataset.index_sha256))
    return {(row.archive_sha256, row.index_sha256) for row in found}


def remove(session: Session, name: str) -> None:
    session.execute(delete(Dataset).where(Dataset.name == name))


def job_on(session: Session, name: str) -> str | None:
    """A job that trains on it or did, the newest."""
    return session.scalar(select(Job.id).where(Job.dataset == name).order_by(Job.id.desc()).limit(1))


def model_of(session: Session, name: str) -> tuple[str, int] | None:
    """Name and version of a model that learned from it, the newest."""
    versions = select(ModelVersion).order_by(ModelVersion.id.desc())
    found = (row for row in session.scalars(versions) if read_recipe(row.recipe).data.dataset == name)
    return next(((row.name, row.version) for row in found), None)
