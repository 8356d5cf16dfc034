"""losses: the columns that count lost attempts say what was lost

`fruitless` counted lost runners and is `runner_losses`; `abandoned` counted lost workers and is `worker_losses`.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAMES = (("fruitless", "runner_losses"), ("abandoned", "worker_losses"))


def upgrade() -> None:
    for old, new in NAMES:
        op.alter_column("jobs", old, new_column_name=new)


def downgrade() -> None:
    for old, new in NAMES:
        op.alter_column("jobs", new, new_column_name=old)
