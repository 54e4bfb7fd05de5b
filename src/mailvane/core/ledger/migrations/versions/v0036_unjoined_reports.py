"""Abuse reports and late bounces whose mail is not in the mail log yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unjoined_reports",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_unjoined_reports_due", "unjoined_reports", ["due_at"])
