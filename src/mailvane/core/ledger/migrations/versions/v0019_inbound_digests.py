"""Whose digest of held mail was sent last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_digests",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("address", sa.String(36), primary_key=True),
        sa.Column("day", sa.String(10), nullable=False),
        sqlite_with_rowid=False,
    )
