"""attempts that were lost with their worker, counted apart from those that their runner lost"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled'"
CHECK = sa.CheckConstraint(f"state IN ({STATES})", name="ck_jobs_state")
"""Named because SQLite's copy of the table would lose it."""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("abandoned", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("jobs", table_args=(CHECK,)) as jobs:
        jobs.drop_column("abandoned")
