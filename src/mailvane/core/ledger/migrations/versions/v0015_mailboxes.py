"""Mailboxes: who sends, with tags, and a rule of each workspace that says which senders become one by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("daily_limit", sa.BigInteger),
        sa.Column("sending_enabled", sa.Boolean, nullable=False),
        sa.Column("warmup_started_at", sa.BigInteger, nullable=False),
        sa.Column("warmup_paused_at", sa.BigInteger, nullable=False),
        sa.Column("warmup_ends_at", sa.BigInteger, nullable=False),
        sa.Column("dns_score", sa.Integer),
        sa.Column("noticed", sa.Boolean, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("uq_mailboxes_address", "mailboxes", ["workspace", "address"], unique=True)
    op.create_table(
        "mailbox_tags",
        sa.Column("workspace", sa.Integer, primary_key=True),
        sa.Column("mailbox", sa.String(24), primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.ForeignKeyConstraint(["workspace", "mailbox"], ["mailboxes.workspace", "mailboxes.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_mailbox_tags_tag", "mailbox_tags", ["workspace", "tag"])
    op.create_table(
        "mailbox_rules",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
