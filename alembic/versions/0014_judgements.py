"""judgements: rounds in which a person told real pictures from those of a model version"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judgements",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.Column("judge", sa.String(128), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judgements"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_judgements_version_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("version_id", "judge", "seed", name="uq_judgements_version_id_judge_seed"),
    )


def downgrade() -> None:
    op.drop_table("judgements")
