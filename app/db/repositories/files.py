"""Queries on a job's files: checkpoints and artifacts."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.repositories import points
from app.db.session import epoch_now
from app.db.statements import in_parts, upsert
from app.db.tables import Artifact, Base, Checkpoint


def last_report(session: Session, job_id: str, step: int) -> dict[str, Any]:
    """`figures` and `sample` (an artifact's id) of the newest report at `step` or before."""
    return {"figures": points.newest(session, job_id, step), "sample": _last_sample(session, job_id, step)}


def _last_sample(session: Session, job_id: str, step: int) -> str | None:
    samples = select(Artifact.id).where(Artifact.job_id == job_id, Artifact.kind == "sample", Artifact.step <= step)
    return session.scalar(samples.order_by(Artifact.step.desc()).limit(1))


def put_checkpoint(session: Session, job_id: str, **values: Any) -> None:
    """A second one at the same step replaces the first."""
    row = {"id": new_id("ckpt"), "job_id": job_id, "created_at": epoch_now(), **values}
    upsert(session, Checkpoint, [row], ("job_id", "step"))


def checkpoint(session: Session, checkpoint_id: str) -> Checkpoint | None:
    return session.get(Checkpoint, checkpoint_id)


def checkpoints(session: Session, job_id: str) -> Sequence[Checkpoint]:
    """Newest step first."""
    query = select(Checkpoint).where(Checkpoint.job_id == job_id).order_by(Checkpoint.step.desc())
    return session.scalars(query).all()


def checkpoint_files(session: Session, job_id: str) -> set[str]:
    """Their names, as the database has them at this moment of the transaction."""
    return set(session.scalars(select(Checkpoint.file).where(Checkpoint.job_id == job_id)))


def newest_step(session: Session, job_id: str) -> int:
    """Step of the newest checkpoint, -1 without any."""
    newest = session.scalar(select(func.max(Checkpoint.step)).where(Checkpoint.job_id == job_id))
    return -1 if newest is None else newest


def drop_checkpoints(session: Session, ids: Collection[str]) -> None:
    session.execute(delete(Checkpoint).where(Checkpoint.id.in_(ids)))


def put_artifact(session: Session, job_id: str, **values: Any) -> str:
    """A second one of the same name replaces the first and keeps its id, which is returned."""
    row = {"id": new_id("art"), "job_id": job_id, "created_at": epoch_now(), **values}
    upsert(session, Artifact, [row], ("job_id", "name"))
    found = session.scalar(select(Artifact.id).where(Artifact.job_id == job_id, Artifact.name == values["name"]))
    assert found is not None
    return found


def artifacts(session: Session, job_id: str, kind: str | None) -> Sequence[Artifact]:
    query = select(Artifact).where(Artifact.job_id == job_id).order_by(Artifact.step, Artifact.name)
    if kind is not None:
        query = query.where(Artifact.kind == kind)
    return session.scalars(query).all()


def rewind(session: Session, job_id: str, step: int) -> None:
    """Forgets everything recorded past `step`: it will be made again."""
    points.rewind(session, job_id, step)
    for table in (Checkpoint, Artifact):
        session.execute(delete(table).where(table.job_id == job_id, table.step > step))


def named(session: Session, sha256s: Collection[str]) -> set[str]:
    """Those that a row names. In every table, later ones too, a column called *sha256 names a file."""
    columns = [column for table in Base.metadata.sorted_tables for column in table.columns]
    naming = [column for column in columns if column.name.endswith("sha256")]
    queries = (select(column).where(column.in_(part)) for column in naming for part in in_parts(sha256s))
    return {sha256 for query in queries for sha256 in session.scalars(query)}
