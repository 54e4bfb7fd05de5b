"""Rows of aggregate reports have the service that sent, and what DNS says of addresses is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of the rows that are there it is found out when it is first asked for.
    op.add_column("aggregate_rows", sa.Column("service", sa.String(64), nullable=False, server_default="?"))
    op.create_index("ix_aggregate_rows_sender", "aggregate_rows", ["service", "source_ip"])
    op.create_table(
        "sender_addresses",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("by", sa.String(8), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
    )
