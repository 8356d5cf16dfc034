"""Queries on judgements: rounds in which people told real pictures from those of a model version."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import Judgement


def add(session: Session, version_id: str, judge: str, seed: int, **values: Any) -> str | None:
    """Add a round and return its id; None if this judge has judged the version's pictures of the seed before."""
    id_ = new_id("judge")
    row = {"id": id_, "version_id": version_id, "judge": judge, "seed": seed, "created_at": epoch_now(), **values}
    return id_ if insert_missing(session, Judgement, row) else None


def count(session: Session, version_id: str) -> int:
    return session.scalar(select(func.count(Judgement.id)).where(Judgement.version_id == version_id)) or 0


def find(session: Session, id_: str) -> Judgement | None:
    return session.get(Judgement, id_)


def of_version(session: Session, version_id: str) -> Sequence[Judgement]:
    """Return all rounds of a version, oldest first."""
    query = select(Judgement).where(Judgement.version_id == version_id).order_by(Judgement.id)
    return session.scalars(query).all()


def page(session: Session, version_id: str, limit: int, after: str | None) -> Sequence[Judgement]:
    """Return at most `limit` rounds of a version older than the id `after`, newest first."""
    query = select(Judgement).where(Judgement.version_id == version_id).order_by(Judgement.id.desc()).limit(limit)
    return session.scalars(query if after is None else query.where(Judgement.id < after)).all()
