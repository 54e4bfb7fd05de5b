"""The tables of notifications. No queries here. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.core.ledger.tables import document_column, metadata, workspace_column, workspaces

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(64), primary_key=True),
    workspace_column(),
    Column("state", String(16), nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    document_column(),
)


Index("ix_notifications_due", notifications.c.state, notifications.c.next_at)


Index("ix_notifications_workspace", notifications.c.workspace, notifications.c.created_at)


attempts = Table(
    "notification_attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notification_id", String(64), ForeignKey(notifications.c.id, ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("took_ms", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
)


Index("ix_notification_attempts_notification", attempts.c.notification_id)


targets = Table(
    "notification_targets",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("failing_since", BigInteger, nullable=False),
    Column("disabled_at", BigInteger, nullable=False),
)


signing_secrets = Table(
    "signing_secrets",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("secret", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)


channels = Table(
    "notification_channels",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("min_severity", String(16), nullable=False),
    Column("quiet_from", String(5), nullable=False),
    Column("quiet_until", String(5), nullable=False),
    Column("quiet_zone", String(64), nullable=False),
)


Index("ix_notification_channels_workspace", channels.c.workspace)
