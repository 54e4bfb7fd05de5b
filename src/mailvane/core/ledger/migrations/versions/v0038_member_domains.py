"""A member of a workspace may be bound to domains. Those that there are see all of it, as before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("memberships", sa.Column("domains", sa.Text, nullable=True))
