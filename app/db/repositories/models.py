"""Queries on model versions, which are numbered per name without gaps or races."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import Model, ModelVersion


def add_version(session: Session, name: str, **values: Any) -> int:
    """Add a version of the model and return its number."""
    insert_missing(session, Model, {"name": name, "latest": 0})
    count = update(Model).where(Model.name == name).values(latest=Model.latest + 1).returning(Model.latest)
    version = session.scalars(count.execution_options(synchronize_session=False)).one()
    row = {"id": new_id("ver"), "name": name, "version": version, "created_at": epoch_now(), **values}
    session.execute(insert(ModelVersion).values(row))
    return version


def versions(session: Session) -> Sequence[ModelVersion]:
    """Return all versions, newest first by the database's clock, not by ids: these have the publishing host's."""
    newest = ModelVersion.created_at.desc(), ModelVersion.id.desc()
    return session.scalars(select(ModelVersion).order_by(*newest)).all()


def change_mark(session: Session) -> tuple[int, int]:
    """Return a value that changes whenever a version is added or deleted: the numbers of added and of present ones."""
    added = session.scalar(select(func.sum(Model.latest))) or 0
    return added, session.scalar(select(func.count(ModelVersion.id))) or 0


def find(session: Session, name: str, version: int | None = None, *, lock: bool = False) -> ModelVersion | None:
    """Return that version of the model, or its newest; None if there is none. `lock` locks its row."""
    query = select(ModelVersion).where(ModelVersion.name == name).order_by(ModelVersion.version.desc()).limit(1)
    if lock:
        query = query.with_for_update()
    return session.scalars(query if version is None else query.where(ModelVersion.version == version)).one_or_none()


def of_job(session: Session, job_id: str) -> ModelVersion | None:
    """Return the newest version that the job published; None if there is none."""
    published = select(ModelVersion).where(ModelVersion.job_id == job_id).order_by(ModelVersion.id.desc())
    return session.scalars(published.limit(1)).one_or_none()


def numbers(session: Session) -> dict[str, list[int]]:
    """Return the version numbers of each model, ordered by name and number."""
    by_name: dict[str, list[int]] = {}
    ordered = select(ModelVersion.name, ModelVersion.version).order_by(ModelVersion.name, ModelVersion.version)
    for name, version in session.execute(ordered):
        by_name.setdefault(name, []).append(version)
    return by_name


def write_on_card(session: Session, model: str, key: str, value: dict[str, Any]) -> None:
    """Write a part of the card of name@version in place of an older one, unless the version was deleted."""
    name, _, version = model.rpartition("@")
    row = (ModelVersion.name == name, ModelVersion.version == int(version))
    card = session.scalar(select(ModelVersion.card).where(*row).with_for_update())
    if card is not None:
        session.execute(update(ModelVersion).where(*row).values(card={**card, key: value}))


def remove(session: Session, name: str, version: int | None) -> Sequence[str]:
    """Delete one version or all versions of a model; return the sha256 of their exports.

    The model's row stays: it holds the last number.
    """
    deleted = delete(ModelVersion).where(ModelVersion.name == name).returning(ModelVersion.export_sha256)
    if version is not None:
        deleted = deleted.where(ModelVersion.version == version)
    return session.scalars(deleted.execution_options(synchronize_session=False)).all()
