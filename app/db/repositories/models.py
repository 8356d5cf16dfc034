"""Model versions, numbered per name without gaps or races."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import Model, ModelVersion


def add_version(session: Session, name: str, **values: Any) -> int:
    """The new version's number."""
    insert_missing(session, Model, {"name": name, "latest": 0})
    count = update(Model).where(Model.name == name).values(latest=Model.latest + 1).returning(Model.latest)
    version = session.scalars(count.execution_options(synchronize_session=False)).one()
    row = {"id": new_id("ver"), "name": name, "version": version, "created_at": epoch_now(), **values}
    session.execute(insert(ModelVersion).values(row))
    return version


def versions(session: Session) -> Sequence[ModelVersion]:
    """Newest first, by the database's clock: ids carry that of whoever published."""
    newest = ModelVersion.created_at.desc(), ModelVersion.id.desc()
    return session.scalars(select(ModelVersion).order_by(*newest)).all()


def mark(session: Session) -> tuple[int, int]:
    """Another one as soon as a version was added or withdrawn: how many were ever added, and how many there are."""
    added = session.scalar(select(func.sum(Model.latest))) or 0
    return added, session.scalar(select(func.count(ModelVersion.id))) or 0


def find(session: Session, name: str, version: int | None = None) -> ModelVersion | None:
    """That version, or the newest of the name."""
    query = select(ModelVersion).where(ModelVersion.name == name).order_by(ModelVersion.version.desc()).limit(1)
    return session.scalars(query if version is None else query.where(ModelVersion.version == version)).one_or_none()


def numbers(session: Session) -> dict[str, list[int]]:
    """Of each model its versions, all in order."""
    found: dict[str, list[int]] = {}
    ordered = select(ModelVersion.name, ModelVersion.version).order_by(ModelVersion.name, ModelVersion.version)
    for name, version in session.execute(ordered):
        found.setdefault(name, []).append(version)
    return found


def note_evaluation(session: Session, model: str, evaluation: dict[str, Any]) -> None:
    """On the card of name@version, unless it was withdrawn; a newer evaluation replaces an older one."""
    name, _, version = model.rpartition("@")
    own = (ModelVersion.name == name, ModelVersion.version == int(version))
    card = session.scalar(select(ModelVersion.card).where(*own).with_for_update())
    if card is not None:
        session.execute(update(ModelVersion).where(*own).values(card={**card, "evaluation": evaluation}))


def remove(session: Session, name: str, version: int | None) -> Sequence[str]:
    """One version or all of a name; answers their exports. The name's row stays: it knows the next number."""
    gone = delete(ModelVersion).where(ModelVersion.name == name).returning(ModelVersion.export_sha256)
    if version is not None:
        gone = gone.where(ModelVersion.version == version)
    return session.scalars(gone.execution_options(synchronize_session=False)).all()
