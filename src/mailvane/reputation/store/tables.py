"""The tables of reputation, as SQLAlchemy sees them; they belong to the same ledger as those of `tables`.

What is asked for by has a column; the rest of a value is one document of JSON beside it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.core.ledger.tables import document_column, metadata, workspace_column, workspaces

profiles = Table(
    "profiles",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("uq_profiles_name", profiles.c.workspace, profiles.c.name, unique=True)

assets = Table(
    "assets",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("profile_id", String(24)),
    document_column(),
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
    document_column(),
)

blocklist_zones = Table("blocklist_zones", metadata, Column("host", Text, primary_key=True), document_column())

zone_health = Table("zone_health", metadata, Column("host", Text, primary_key=True), document_column())

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("profile_id", String(24)),
    Column("created_at", BigInteger, nullable=False),
    Column("sorted_name", Text, nullable=False, server_default=""),  # in lower case
    document_column(),
)
Index("ix_alerts_workspace", alerts.c.workspace, alerts.c.created_at)

alert_memories = Table(
    "alert_memories",
    metadata,
    Column("alert_id", String(24), ForeignKey(alerts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    document_column(),
)

alert_log = Table(
    "alert_log",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("alert_id", String(24), nullable=False),
    Column("profile_id", String(24)),
    Column("at", BigInteger, nullable=False),
    Column("in_daily_report", Boolean, nullable=False),
    document_column(),
)
Index("ix_alert_log_at", alert_log.c.workspace, alert_log.c.at)
Index("ix_alert_log_alert", alert_log.c.alert_id, alert_log.c.at)

maintenance_windows = Table(
    "maintenance_windows",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("profile_id", String(24)),
    Column("reason", Text, nullable=False),
)
Index("ix_maintenance_windows_workspace", maintenance_windows.c.workspace)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("period", BigInteger, nullable=False),  # seconds
    Column("grace", BigInteger, nullable=False),  # seconds
    Column("created_at", BigInteger, nullable=False),
    Column("called_at", BigInteger, nullable=False),  # 0: never
)
Index("uq_heartbeats_name", heartbeats.c.workspace, heartbeats.c.name, unique=True)
Index("uq_heartbeats_secret", heartbeats.c.secret_hash, unique=True)
