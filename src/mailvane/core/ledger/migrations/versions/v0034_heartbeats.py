"""Heartbeats that jobs are expected to send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("grace", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("called_at", sa.BigInteger, nullable=False),
    )
    op.create_index("uq_heartbeats_name", "heartbeats", ["workspace", "name"], unique=True)
    op.create_index("uq_heartbeats_secret", "heartbeats", ["secret_hash"], unique=True)
