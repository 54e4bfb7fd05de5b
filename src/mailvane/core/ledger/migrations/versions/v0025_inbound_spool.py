"""Content of small mails on their way to a next hop, beside their messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_spool",
        sa.Column("message", sa.String(36), primary_key=True),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_inbound_spool_content", "inbound_spool", ["content"])
