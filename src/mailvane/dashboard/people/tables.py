"""The ledger's tables of people. The migrations create them; a test proves that both say the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from mailvane.core.ledger.tables import metadata

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("is_server", Boolean, nullable=False),
    Column("password", Text, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("identity", Text, nullable=True),  # at the login provider: issuer and subject
    Index("ix_users_identity", "identity", unique=True),
    sqlite_autoincrement=True,
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("workspace", Integer, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
    Column("domains", Text, nullable=True),  # JSON; null: all of the workspace
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256 of what the cookie holds
    Column("id", String(24), nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("proven_at", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256 of what the link holds
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
