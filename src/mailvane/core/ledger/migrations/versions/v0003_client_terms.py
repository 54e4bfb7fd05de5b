"""Terms of customers' keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_terms",
        sa.Column("key", sa.Integer, sa.ForeignKey("keys.id"), primary_key=True, autoincrement=False),
        sa.Column("domains_allowed", sa.Integer, nullable=False),
        sa.Column("mailboxes_per_domain", sa.Integer, nullable=False),
        sa.Column("aliases_per_mailbox", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
    )
