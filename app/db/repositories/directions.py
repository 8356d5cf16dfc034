"""Queries on named directions of the latent spaces of model versions."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import LatentDirection


def add(session: Session, version_id: str, name: str, **values: Any) -> str | None:
    """Add a direction and return its id; None if the version has one of this name."""
    id_ = new_id("direction")
    row = {"id": id_, "version_id": version_id, "name": name, "created_at": epoch_now(), **values}
    return id_ if insert_missing(session, LatentDirection, row) else None


def count(session: Session, version_id: str) -> int:
    return session.scalar(select(func.count(LatentDirection.id)).where(LatentDirection.version_id == version_id)) or 0


def of_version(session: Session, version_id: str, names: Collection[str] | None = None) -> Sequence[LatentDirection]:
    """Return the directions of a version, of these names if they are given, oldest first."""
    query = select(LatentDirection).where(LatentDirection.version_id == version_id).order_by(LatentDirection.id)
    return session.scalars(query if names is None else query.where(LatentDirection.name.in_(names))).all()
