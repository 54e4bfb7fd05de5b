"""Counters of other hours, days and months beside those of now, and where the count of a restored domain begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("domains", sa.Column("month_since", sa.BigInteger, nullable=False, server_default="0"))
    for name in ("baseline", "other"):
        op.add_column("domains", sa.Column(name, sa.Text, nullable=False, server_default="[]"))
