"""quick when full: what is asked often has an index, and the points of a curve lie together"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

QUEUE = "ix_jobs_state_queued_at"
ADDED = (
    *(("jobs", (column, "id")) for column in ("state", "kind", "family", "dataset", "model_name")),
    ("jobs", ("state", "queued_at", "id", "kind")),
    ("jobs", ("state", "fence")),
    ("artifacts", ("sha256",)),
    ("checkpoints", ("sha256",)),
    ("model_versions", ("export_sha256",)),
    ("model_versions", ("job_id",)),
    ("idempotency_keys", ("job_id",)),
    ("idempotency_keys", ("experiment_id",)),
)


def upgrade() -> None:
    _order_points("job_id", "name", "step", with_rowid=False)
    op.drop_index(QUEUE, "jobs")
    for table, columns in ADDED:
        op.create_index(_name(table, columns), table, columns)


def downgrade() -> None:
    for table, columns in ADDED:
        op.drop_index(_name(table, columns), table)
    op.create_index(QUEUE, "jobs", ("state", "queued_at"))
    _order_points("job_id", "step", "name", with_rowid=True)


def _name(table: str, columns: tuple[str, ...]) -> str:
    return "_".join(("ix", table, *columns))


def _order_points(*key: str, with_rowid: bool) -> None:
    """A new table with its rows in the new order: SQLite changes no key, and PostgreSQL leaves rows where they are."""
    op.rename_table("points", "old_points")
    if op.get_bind().dialect.name == "postgresql":  # where names of constraints are those of indexes, and taken
        op.execute("ALTER TABLE old_points RENAME CONSTRAINT pk_points TO old_pk_points")
    op.create_table(
        "points",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(precision=53)),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_points_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_points")),
        sqlite_with_rowid=with_rowid,
    )
    op.execute(
        "INSERT INTO points (job_id, name, step, value) "
        f"SELECT job_id, name, step, value FROM old_points ORDER BY {', '.join(key)}"
    )
    op.drop_table("old_points")
