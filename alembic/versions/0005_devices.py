"""devices that a training computes on"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled'"
CHECK = sa.CheckConstraint(f"state IN ({STATES})", name="ck_jobs_state")
"""Named because SQLite's copy of the table would lose it."""


def upgrade() -> None:
    with op.batch_alter_table("jobs", table_args=(CHECK,)) as jobs:
        jobs.add_column(sa.Column("devices", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    with op.batch_alter_table("jobs", table_args=(CHECK,)) as jobs:
        jobs.drop_column("devices")
