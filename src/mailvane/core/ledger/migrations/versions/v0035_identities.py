"""A person may be known to a login provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("identity", sa.Text, nullable=True))
    op.create_index("ix_users_identity", "users", ["identity"], unique=True)
