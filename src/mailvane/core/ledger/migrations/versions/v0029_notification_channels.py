"""Channels of every kind have names, a least severity and quiet hours; Slack integrations become channels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_channels",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("min_severity", sa.String(16), nullable=False),
        sa.Column("quiet_from", sa.String(5), nullable=False),
        sa.Column("quiet_until", sa.String(5), nullable=False),
        sa.Column("quiet_zone", sa.String(64), nullable=False),
    )
    op.create_index("ix_notification_channels_workspace", "notification_channels", ["workspace"])
    op.execute(
        "INSERT INTO notification_channels"
        " (id, workspace, kind, name, target, created_at, min_severity, quiet_from, quiet_until, quiet_zone)"
        " SELECT id, workspace, 'slack', name, url, created_at, 'info', '', '', '' FROM slack_integrations"
    )
    op.drop_table("slack_integrations")
