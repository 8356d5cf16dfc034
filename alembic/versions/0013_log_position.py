"""log position: events are numbered over all jobs too

Transactions that add events take their numbers from the one row of `event_counter`, which stays locked until they
commit. So a reader that has seen number n never meets a smaller one later.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NUMBER = """
    UPDATE events SET position = numbered.position FROM (
        SELECT job_id, seq, row_number() OVER (ORDER BY at, job_id, seq) AS position FROM events
    ) AS numbered WHERE events.job_id = numbered.job_id AND events.seq = numbered.seq
"""


def upgrade() -> None:
    counter = op.create_table(
        "event_counter",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.add_column("events", sa.Column("position", sa.BigInteger(), nullable=True))
    op.execute(NUMBER)
    with op.batch_alter_table("events") as table:
        table.alter_column("position", existing_type=sa.BigInteger(), nullable=False)
    op.create_index("ix_events_position", "events", ["position"], unique=True)
    last = op.get_bind().scalar(sa.text("SELECT coalesce(max(position), 0) FROM events"))
    op.bulk_insert(counter, [{"id": 1, "last": last}])


def downgrade() -> None:
    op.drop_index("ix_events_position", "events")
    op.drop_column("events", "position")
    op.drop_table("event_counter")
