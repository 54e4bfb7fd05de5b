"""How many mails of a sender with a limit of its own have passed on a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sender_days",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("day", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sender_days_day", "sender_days", ["day"])
    op.create_index("ix_mailboxes_address", "mailboxes", ["address"])
