"""job spec: all that a job does stands in one column

Until then it was spread over recipe, start (the weights that a training begins with), asked (of a training the step at
which it was extended, else the request) and devices. `subject`, the training whose weights are used, is source_job.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Json = dict[str, Any]
ROWS = 500
BEFORE = ("recipe", "start", "asked", "devices")

jobs = sa.table(
    "jobs",
    sa.column("id", sa.String),
    sa.column("kind", sa.String),
    sa.column("family", sa.String),
    sa.column("model_name", sa.String),
    sa.column("source_job", sa.String),
    sa.column("recipe", sa.JSON(none_as_null=True)),
    sa.column("start", sa.JSON(none_as_null=True)),
    sa.column("asked", sa.JSON(none_as_null=True)),
    sa.column("devices", sa.Integer),
    sa.column("spec", sa.JSON(none_as_null=True)),
)


def upgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_index("ix_jobs_subject")
        table.alter_column("subject", new_column_name="source_job", existing_type=sa.String(64))
        table.add_column(sa.Column("spec", sa.JSON(), nullable=True))
    for row in _rows(*BEFORE, "kind", "family", "model_name", "source_job"):
        _write(row.id, spec=_spec(row))
    with op.batch_alter_table("jobs") as table:
        table.alter_column("spec", existing_type=sa.JSON(), nullable=False)
        table.create_index("ix_jobs_source_job", ["source_job"])
        for name in BEFORE:
            table.drop_column(name)


def downgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_index("ix_jobs_source_job")
        table.alter_column("source_job", new_column_name="subject", existing_type=sa.String(64))
        for name in ("recipe", "start", "asked"):
            table.add_column(sa.Column(name, sa.JSON(), nullable=True))
        table.add_column(sa.Column("devices", sa.Integer(), nullable=False, server_default="1"))
    for row in _rows("spec"):
        _write(row.id, **_parts(row.spec))
    with op.batch_alter_table("jobs") as table:
        table.alter_column("recipe", existing_type=sa.JSON(), nullable=False)
        table.create_index("ix_jobs_subject", ["subject"])
        table.drop_column("spec")


def _spec(row: Any) -> Json:
    asked = dict(row.asked or {})
    spec = {"kind": row.kind, "recipe": row.recipe, "family": row.family, "model_name": row.model_name}
    if row.kind == "train":
        start_from = row.start and _weights(row.start, row.start["job"])
        return {**spec, "devices": row.devices, "start_from": start_from, "extended_at": asked.get("extended_at")}
    spec["weights"] = _weights(asked, row.source_job)
    asked = {name: value for name, value in asked.items() if name not in spec["weights"]}
    if row.kind == "generate":
        asked["temperature"] = asked.pop("truncation")
    if row.kind == "translate":
        asked = {"files": None, "input": None, **asked}
    return {**spec, **asked}


def _weights(told: Json, job: str | None) -> Json:
    named = {name: told.get(name) for name in ("model", "checkpoint")}
    return {**named, "job": job, "step": told["step"], "sha256": told["sha256"]}


def _parts(spec: Json) -> Json:
    """What the columns of before held."""
    parts = {"recipe": spec["recipe"], "start": None, "asked": None, "devices": spec.get("devices", 1)}
    if spec["kind"] == "train":
        if (weights := spec["start_from"]) is not None:
            told = {name: weights[name] for name in ("job", "checkpoint", "step", "sha256")}
            parts["start"] = {**told, "file": "start.pt"}
        if spec["extended_at"] is not None:
            parts["asked"] = {"extended_at": spec["extended_at"]}
        return parts
    about = ("kind", "recipe", "family", "model_name", "weights")
    asked = {name: value for name, value in spec.items() if name not in about}
    if "temperature" in asked:
        asked["truncation"] = asked.pop("temperature")
    told = {name: value for name, value in spec["weights"].items() if name != "job"}
    if spec["kind"] != "evaluate":
        del told["checkpoint"]
    return parts | {"asked": told | asked}


def _rows(*columns: str) -> Iterator[Any]:
    """Yield these columns of every job; read ROWS at a time."""
    query = sa.select(*(jobs.c[name] for name in ("id", *columns))).order_by(jobs.c.id).limit(ROWS)
    last = ""
    while page := op.get_bind().execute(query.where(jobs.c.id > last)).all():
        yield from page
        last = page[-1].id


def _write(job_id: str, **values: Any) -> None:
    op.get_bind().execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
