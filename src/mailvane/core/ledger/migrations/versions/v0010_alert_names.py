"""Alerts are sorted by name in the database, so that a page of them needs no more than its own."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("sorted_name", sa.Text(), nullable=False, server_default=""))
    alerts = sa.table("alerts", sa.column("id"), sa.column("document"), sa.column("sorted_name"))
    connection = op.get_bind()
    for found in connection.execute(sa.select(alerts.c.id, alerts.c.document)).all():
        name = str(json.loads(found.document).get("name", "")).lower()
        connection.execute(sa.update(alerts).where(alerts.c.id == found.id).values(sorted_name=name))
