"""The tables of reputation, as SQLAlchemy sees them; they belong to the same ledger as those of `tables`.

What is asked for by has a column; the rest of a value is one document of JSON beside it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.storage.ledger.tables import metadata, workspaces


def _workspace() -> Column[int]:
    return Column("workspace", Integer, ForeignKey(workspaces.c.id), nullable=False)


def _document() -> Column[str]:
    return Column("document", Text, nullable=False)


profiles = Table(
    "profiles",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("uq_profiles_name", profiles.c.workspace, profiles.c.name, unique=True)

assets = Table(
    "assets",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("profile_id", String(24)),
    _document(),
)
Index("uq_assets_name", assets.c.workspace, assets.c.kind, assets.c.name, unique=True)
Index("ix_assets_kind", assets.c.kind)

observations = Table(
    "observations",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)
Index("ix_observations_at", observations.c.workspace, observations.c.kind, observations.c.at, observations.c.key)

source_health = Table(
    "source_health",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("source", String(16), primary_key=True),
    _document(),
)

blocklist_zones = Table("blocklist_zones", metadata, Column("host", Text, primary_key=True), _document())

zone_health = Table("zone_health", metadata, Column("host", Text, primary_key=True), _document())

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("profile_id", String(24)),
    Column("created_at", BigInteger, nullable=False),
    Column("sorted_name", Text, nullable=False, server_default=""),  # in lower case
    _document(),
)
Index("ix_alerts_workspace", alerts.c.workspace, alerts.c.created_at)

alert_memories = Table(
    "alert_memories",
    metadata,
    Column("alert_id", String(24), ForeignKey(alerts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    _document(),
)

alert_log = Table(
    "alert_log",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("alert_id", String(24), nullable=False),
    Column("profile_id", String(24)),
    Column("at", BigInteger, nullable=False),
    Column("in_daily_report", Boolean, nullable=False),
    _document(),
)
Index("ix_alert_log_at", alert_log.c.workspace, alert_log.c.at)
Index("ix_alert_log_alert", alert_log.c.alert_id, alert_log.c.at)

maintenance_windows = Table(
    "maintenance_windows",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("profile_id", String(24)),
    Column("reason", Text, nullable=False),
)
Index("ix_maintenance_windows_workspace", maintenance_windows.c.workspace)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(64), primary_key=True),
    _workspace(),
    Column("state", String(16), nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    _document(),
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

slack_integrations = Table(
    "slack_integrations",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_slack_integrations_workspace", slack_integrations.c.workspace)

reports = Table(
    "aggregate_reports",
    metadata,
    Column("id", String(24), primary_key=True),
    _workspace(),
    Column("organisation", Text, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("head", Text, nullable=False),  # JSON
)
Index(
    "uq_aggregate_reports_identity",
    reports.c.workspace,
    reports.c.organisation,
    reports.c.report_id,
    reports.c.domain,
    reports.c.begins,
    reports.c.ends,
    unique=True,
)
Index("ix_aggregate_reports_ends", reports.c.workspace, reports.c.ends)

report_rows = Table(
    "aggregate_rows",
    metadata,
    Column("report", String(24), ForeignKey(reports.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("source_ip", Text, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("failing", Boolean, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
