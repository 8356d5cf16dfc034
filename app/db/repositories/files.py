"""What a job leaves behind: points of curves, checkpoints, artifacts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.clock import epoch_now
from app.db.parts import in_parts
from app.db.tables import Artifact, Base, Checkpoint, Point
from app.db.upsert import upsert


def put_points(session: Session, job_id: str, step: int, values: Mapping[str, float | None]) -> None:
    rows = [{"job_id": job_id, "step": step, "name": name, "value": value} for name, value in values.items()]
    upsert(session, Point, rows, ("job_id", "step", "name"))


def points(session: Session, job_id: str, names: Collection[str] | None, after_step: int) -> Sequence[Point]:
    query = select(Point).where(Point.job_id == job_id, Point.step > after_step).order_by(Point.name, Point.step)
    if names is not None:
        query = query.where(Point.name.in_(names))
    return session.scalars(query).all()


def points_at(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    """The values at that step, by name."""
    found = session.scalars(select(Point).where(Point.job_id == job_id, Point.step == step).order_by(Point.name))
    return {point.name: point.value for point in found}


def last_report(session: Session, job_id: str, step: int) -> dict[str, Any]:
    """`figures` and `sample` (an artifact's id) of the newest report at `step` or before."""
    return {"figures": _last_values(session, job_id, step), "sample": _last_sample(session, job_id, step)}


def _last_values(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    newest = session.scalar(select(func.max(Point.step)).where(Point.job_id == job_id, Point.step <= step))
    return {} if newest is None else points_at(session, job_id, newest)


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
    for table in (Point, Checkpoint, Artifact):
        session.execute(delete(table).where(table.job_id == job_id, table.step > step))


def named(session: Session, sha256s: Collection[str]) -> set[str]:
    """Those that a row names. In every table, later ones too, a column called *sha256 names a file."""
    columns = [column for table in Base.metadata.sorted_tables for column in table.columns]
    naming = [column for column in columns if column.name.endswith("sha256")]
    queries = (select(column).where(column.in_(part)) for column in naming for part in in_parts(sha256s))
    return {sha256 for query in queries for sha256 in session.scalars(query)}
