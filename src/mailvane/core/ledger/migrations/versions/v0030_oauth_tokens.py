"""Refresh tokens of the report mailbox that its token server replaced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_tokens",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("refresh_token", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
