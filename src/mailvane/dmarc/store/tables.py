"""The tables of reports about one's mail. No queries here. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.core.ledger.tables import document_column, metadata, workspace_column, workspaces

reports = Table(
    "aggregate_reports",
    metadata,
    Column("id", String(24), primary_key=True),
    workspace_column(),
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


oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("origin", String(64), nullable=False),
    Column("refresh_token", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)


report_rows = Table(
    "aggregate_rows",
    metadata,
    Column("report", String(24), ForeignKey(reports.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("source_ip", Text, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("failing", Boolean, nullable=False),
    Column("service", String(64), nullable=False, server_default="?"),  # "": unknown; "?": not judged yet
    Column("data", Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)


Index("ix_aggregate_rows_sender", report_rows.c.service, report_rows.c.source_ip)


# Abuse reports and late bounces whose mail is not in the mail log yet. The reports themselves are observations.
unjoined_reports = Table(
    "unjoined_reports",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    document_column(),
)
Index("ix_unjoined_reports_due", unjoined_reports.c.due_at)


# What DNS says of the addresses that mail came from.
sender_addresses = Table(
    "sender_addresses",
    metadata,
    Column("address", Text, primary_key=True),
    Column("service", String(64), nullable=False),
    Column("by", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
)
