"""Reputation: what is watched and observed, alerts with their log, who is told, and reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _watched()
    _observed()
    _alerts()
    _told()
    _reported()
    _held()


def _watched() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("uq_profiles_name", "profiles", ["workspace", "name"], unique=True)
    op.create_table(
        "assets",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("profile_id", sa.String(24)),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_assets_kind", "assets", ["kind"])
    op.create_index("uq_assets_name", "assets", ["workspace", "kind", "name"], unique=True)


def _observed() -> None:
    op.create_table(
        "observations",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("asset", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_observations_at", "observations", ["workspace", "kind", "at"])
    op.create_table(
        "source_health",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("source", sa.String(16), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "blocklist_zones",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "zone_health",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("profile_id", sa.String(24)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_alerts_workspace", "alerts", ["workspace", "created_at"])
    op.create_table(
        "alert_memories",
        sa.Column("alert_id", sa.String(24), sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_log",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("alert_id", sa.String(24), nullable=False),
        sa.Column("profile_id", sa.String(24)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("in_daily_report", sa.Boolean, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_alert_log_alert", "alert_log", ["alert_id", "at"])
    op.create_index("ix_alert_log_at", "alert_log", ["workspace", "at"])
    op.create_table(
        "maintenance_windows",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("profile_id", sa.String(24)),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_maintenance_windows_workspace", "maintenance_windows", ["workspace"])


def _told() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_notifications_due", "notifications", ["state", "next_at"])
    op.create_index("ix_notifications_workspace", "notifications", ["workspace", "created_at"])
    op.create_table(
        "notification_attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "notification_id", sa.String(64), sa.ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("took_ms", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_notification_attempts_notification", "notification_attempts", ["notification_id"])
    op.create_table(
        "notification_targets",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("failing_since", sa.BigInteger, nullable=False),
        sa.Column("disabled_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "signing_secrets",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True),
        sa.Column("secret", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "slack_integrations",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_slack_integrations_workspace", "slack_integrations", ["workspace"])


def _reported() -> None:
    op.create_table(
        "aggregate_reports",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("report_id", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
    )
    op.create_index("ix_aggregate_reports_ends", "aggregate_reports", ["workspace", "ends"])
    op.create_index(
        "uq_aggregate_reports_identity",
        "aggregate_reports",
        ["workspace", "organisation", "report_id", "domain"],
        unique=True,
    )
    op.create_table(
        "aggregate_rows",
        sa.Column("report", sa.String(24), sa.ForeignKey("aggregate_reports.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("source_ip", sa.Text, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("failing", sa.Boolean, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _held() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
