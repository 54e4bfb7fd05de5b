"""The ledger's table of decisions that wait. The migrations create it; a test proves that both say the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mailvane.core.ledger.tables import metadata

held_decisions = Table(
    "held_decisions",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("message", String(64), primary_key=True),
    Column("act", String(8), nullable=False),
    Column("remember", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("taken", Boolean, nullable=False),
    Column("failure", Text, nullable=False),
    Index("ix_held_decisions_due", "due_at"),
)
