"""The tables of the health report, as SQLAlchemy sees them.

A team is known by its name in the settings, or by that of its workspace.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from mailvane.core.ledger.tables import document_column, metadata

# The newest reading of each day.
health_readings = Table(
    "health_readings",
    metadata,
    Column("team", Text, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("at", BigInteger, nullable=False),
    document_column(),
)

# Reports that the schedule made, and whom they have reached.
health_reports = Table(
    "health_reports",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("told", Text, nullable=False),  # JSON: names of channels
    document_column(),
)

# Every message that was released from a quarantine by rule: the budget, the audit and the list to undo.
health_releases = Table(
    "health_releases",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("team", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    document_column(),
)
Index("uq_health_releases_message", health_releases.c.team, health_releases.c.message, unique=True)
Index("ix_health_releases_at", health_releases.c.team, health_releases.c.at)
