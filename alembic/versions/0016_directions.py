"""directions: named directions of the latent spaces of model versions"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("strength", sa.Float(53), nullable=False),
        sa.Column("vector", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directions"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_directions_version_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("version_id", "name", name="uq_directions_version_id_name"),
    )


def downgrade() -> None:
    op.drop_table("directions")
