"""What the mail log was made of when it was last looked at, to tell whether something is gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maillog_record",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changing_until", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
