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
    """Return `figures` and `sample` (an artifact's id) of the last report at `step` or before.

    The figures are those of an evaluation, by their names; the losses if the report is of a step without one.
    """
    values = points.newest(session, job_id, step)
    return {"figures": points.figures(values) or values, "sample": _last_sample(session, job_id, step)}


def _last_sample(session: Session, job_id: str, step: int) -> str | None:
    samples = select(Artifact.id).where(Artifact.job_id == job_id, Artifact.kind == "sample", Artifact.step <= step)
    return session.scalar(samples.order_by(Artifact.step.desc()).limit(1))


def newest_samples(session: Session, job_ids: Collection[str]) -> dict[str, str]:
    """Return the artifact id of the newest fixed-noise picture of each job that has one, by job id."""
    found: dict[str, str] = {}
    for part in in_parts(job_ids):
        samples = (Artifact.job_id.in_(part), Artifact.kind == "sample")
        newest = select(Artifact.job_id, func.max(Artifact.step).label("step")).where(*samples)
        steps = newest.group_by(Artifact.job_id).subquery()
        joined = select(Artifact.job_id, Artifact.id).join(
            steps, (Artifact.job_id == steps.c.job_id) & (Artifact.step == steps.c.step)
        )
        found |= {row.job_id: row.id for row in session.execute(joined.where(*samples))}
    return found


def put_checkpoint(session: Session, job_id: str, **values: Any) -> None:
    """Add a checkpoint; replace one at the same step."""
    row = {"id": new_id("ckpt"), "job_id": job_id, "created_at": epoch_now(), **values}
    upsert(session, Checkpoint, [row], ("job_id", "step"))


def checkpoint(session: Session, checkpoint_id: str) -> Checkpoint | None:
    return session.get(Checkpoint, checkpoint_id)


def checkpoints(session: Session, job_id: str) -> Sequence[Checkpoint]:
    """Return the job's checkpoints, newest step first."""
    query = select(Checkpoint).where(Checkpoint.job_id == job_id).order_by(Checkpoint.step.desc())
    return session.scalars(query).all()


def checkpoint_files(session: Session, job_id: str) -> set[str]:
    """Return the file names of the job's checkpoints as the transaction sees them now."""
    return set(session.scalars(select(Checkpoint.file).where(Checkpoint.job_id == job_id)))


def newest_step(session: Session, job_id: str) -> int:
    """Return the step of the newest checkpoint; -1 if there is none."""
    newest = session.scalar(select(func.max(Checkpoint.step)).where(Checkpoint.job_id == job_id))
    return -1 if newest is None else newest


def drop_checkpoints(session: Session, ids: Collection[str]) -> None:
    session.execute(delete(Checkpoint).where(Checkpoint.id.in_(ids)))


def put_artifact(session: Session, job_id: str, **values: Any) -> str:
    """Add an artifact and return its id; replace one of the same name, which keeps its id."""
    row = {"id": new_id("art"), "job_id": job_id, "created_at": epoch_now(), **values}
    upsert(session, Artifact, [row], ("job_id", "name"))
    artifact_id = session.scalar(select(Artifact.id).where(Artifact.job_id == job_id, Artifact.name == values["name"]))
    assert artifact_id is not None
    return artifact_id


def artifacts(session: Session, job_id: str, kind: str | None) -> Sequence[Artifact]:
    """Return the job's artifacts, or those of one kind, ordered by step and name."""
    query = select(Artifact).where(Artifact.job_id == job_id).order_by(Artifact.step, Artifact.name)
    if kind is not None:
        query = query.where(Artifact.kind == kind)
    return session.scalars(query).all()


def delete_after(session: Session, job_id: str, step: int) -> None:
    """Delete the points, checkpoints and artifacts after `step`: the next attempt records them again."""
    points.delete_after(session, job_id, step)
    for table in (Checkpoint, Artifact):
        session.execute(delete(table).where(table.job_id == job_id, table.step > step))


def referenced(session: Session, sha256s: Collection[str]) -> set[str]:
    """Return those of the files that a row references.

    In every table, also in future ones, a column whose name ends in sha256 references a file.
    """
    columns = [column for table in Base.metadata.sorted_tables for column in table.columns]
    references = [column for column in columns if column.name.endswith("sha256")]
    queries = (select(column).where(column.in_(part)) for column in references for part in in_parts(sha256s))
    return {sha256 for query in queries for sha256 in session.scalars(query)}
