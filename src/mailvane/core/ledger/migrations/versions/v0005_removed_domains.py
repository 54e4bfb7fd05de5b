"""Removed domains are kept until their period is billed, and so is what a former owner of a domain sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("domains", sa.Column("removed_at", sa.BigInteger))
    op.create_table(
        "outstanding_usage",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("monthly_limit", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("bounces", sa.BigInteger, nullable=False),
        sa.Column("complaints", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
