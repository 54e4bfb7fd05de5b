"""The ledger's table of saved views. The migrations create it; a test proves that both say the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.core.ledger.tables import metadata

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("workspace", Integer, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=True, index=True),  # NULL: all
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("columns", Text, nullable=False, server_default=""),  # of its table; empty: the usual ones
    Index("ix_saved_views_workspace", "workspace", "user_id"),
)
