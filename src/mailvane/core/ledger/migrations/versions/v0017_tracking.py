"""Secrets of tracking links, and what recipients did that is not in the mail log yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tracking_secrets",
        sa.Column("workspace", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tracked_reactions",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("workspace", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("mail", sa.LargeBinary(16), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tracked_reactions_due_at", "tracked_reactions", ["due_at"])
    op.create_index("ix_tracked_reactions_mail", "tracked_reactions", ["mail"])
