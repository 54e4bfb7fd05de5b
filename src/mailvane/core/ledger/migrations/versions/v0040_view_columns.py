"""A saved view of the mail log says which columns its table has. Those that there are have the usual ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("saved_views", sa.Column("columns", sa.Text, nullable=False, server_default=""))
