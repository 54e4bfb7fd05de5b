"""What was answered to an increment under an `Idempotency-Key`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "increment_keys",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("answered_at", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_increment_keys_answered_at", "increment_keys", ["answered_at"])
