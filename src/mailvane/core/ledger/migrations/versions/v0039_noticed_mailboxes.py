"""Mailboxes that appeared by themselves are counted, and the others listed, without reading them."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_mailboxes_noticed", "mailboxes", ["workspace", "noticed", "address"])
