"""durations: how long a training was told to take, and by the machine's speed alone

Of jobs that were created before neither is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("work_s", sa.Float(53), nullable=True))
    op.add_column("jobs", sa.Column("takes_s", sa.Float(53), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "takes_s")
    op.drop_column("jobs", "work_s")
