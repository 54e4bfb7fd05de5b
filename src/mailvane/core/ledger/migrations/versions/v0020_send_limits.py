"""Limits of mailboxes, logins and domains with several windows, and of all that have none of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "send_limits",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("hourly", sa.BigInteger),
        sa.Column("daily", sa.BigInteger),
        sa.Column("monthly", sa.BigInteger),
        sqlite_with_rowid=False,
    )
