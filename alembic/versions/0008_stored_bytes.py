"""stored bytes: what each job keeps or may come to keep, and the size of each export

Jobs that had not ended before count nothing until they end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEPT = """
UPDATE jobs SET stored_bytes =
    (SELECT coalesce(sum(size), 0) FROM checkpoints WHERE checkpoints.job_id = jobs.id)
    + (SELECT coalesce(sum(size), 0) FROM artifacts WHERE artifacts.job_id = jobs.id)
WHERE state IN ('succeeded', 'failed', 'cancelled')
"""
EXPORTED = """
UPDATE model_versions SET export_bytes = coalesce(
    (SELECT max(size) FROM artifacts WHERE artifacts.sha256 = model_versions.export_sha256), 0)
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("model_versions", sa.Column("export_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(KEPT)
    op.execute(EXPORTED)
    op.create_index("ix_jobs_stored_bytes", "jobs", ["stored_bytes"])


def downgrade() -> None:
    op.drop_index("ix_jobs_stored_bytes", "jobs")
    op.drop_column("model_versions", "export_bytes")
    op.drop_column("jobs", "stored_bytes")
