"""best checkpoints, jobs that measure, experiments"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled'"
CHECK = sa.CheckConstraint(f"state IN ({STATES})", name="ck_jobs_state")
"""Named because SQLite's copy of the table would lose it."""
JSON_COLUMNS = ("best", "asked", "case")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128)),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
    )
    with op.batch_alter_table("jobs", table_args=(CHECK,)) as jobs:
        for name in JSON_COLUMNS:
            jobs.add_column(sa.Column(name, sa.JSON(none_as_null=True)))
        jobs.add_column(sa.Column("subject", sa.String(length=64)))
        jobs.add_column(sa.Column("experiment_id", sa.String(length=64)))
        jobs.create_foreign_key(
            op.f("fk_jobs_experiment_id"), "experiments", ["experiment_id"], ["id"], ondelete="SET NULL"
        )
        jobs.create_index("ix_jobs_subject", ["subject"])
        jobs.create_index("ix_jobs_experiment_id", ["experiment_id"])
    with op.batch_alter_table("idempotency_keys") as keys:
        keys.add_column(sa.Column("experiment_id", sa.String(length=64)))
        keys.create_foreign_key(
            op.f("fk_idempotency_keys_experiment_id"), "experiments", ["experiment_id"], ["id"], ondelete="CASCADE"
        )


def downgrade() -> None:
    with op.batch_alter_table("idempotency_keys") as keys:
        keys.drop_constraint(op.f("fk_idempotency_keys_experiment_id"), type_="foreignkey")
        keys.drop_column("experiment_id")
    with op.batch_alter_table("jobs", table_args=(CHECK,)) as jobs:
        jobs.drop_index("ix_jobs_experiment_id")
        jobs.drop_index("ix_jobs_subject")
        jobs.drop_constraint(op.f("fk_jobs_experiment_id"), type_="foreignkey")
        for name in ("experiment_id", "subject", *JSON_COLUMNS):
            jobs.drop_column(name)
    op.drop_table("experiments")
