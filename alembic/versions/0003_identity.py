"""which database this is, so that a home can tell"""

import sqlalchemy as sa
from alembic import op

from app.core.ids import new_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    identity = op.create_table(
        "identity",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
    )
    op.bulk_insert(identity, [{"id": new_id("db")}])


def downgrade() -> None:
    op.drop_table("identity")
