"""The ledger's tables as SQLAlchemy sees them. The migrations create them; a test proves that both say the same.

No queries here. Times are milliseconds since the epoch, UTC; secrets appear as SHA-256 hashes only.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal kept as its text: SQLite would make a float of a NUMERIC column."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("retention_days", Integer, nullable=False),
    sqlite_autoincrement=True,
)

relays = Table(
    "relays",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", Integer, ForeignKey(workspaces.c.id), nullable=False, index=True),
    Column("comment", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("billing_day", Integer, nullable=False),
    Column("price_base", ExactDecimal, nullable=False),
    Column("price_per_thousand", ExactDecimal, nullable=False),
    Column("price_currency", String(3), nullable=False),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("workspace", Integer, ForeignKey(workspaces.c.id), index=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

cursors = Table(
    "cursors",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("tail", LargeBinary, nullable=False),
    Column("reference", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

in_flight = Table(
    "in_flight",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# A sequence must never be given out twice: a second carrier may settle it late, when a new batch already bears it.
journal = Table(
    "journal",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("committed_at", BigInteger, nullable=False),
    Column("workspace", Integer, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # last: SQLite then finds the others without reading through it
    sqlite_autoincrement=True,
)

# The digest stands for the id: ids are as long as a sender likes, and PostgreSQL indexes at most 2.7 kB.
event_ids = Table(
    "event_ids",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(16), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Index(None, "seen_at"),
    sqlite_with_rowid=False,
)

# What the mail log was made of when it was last looked at: one row.
maillog_record = Table(
    "maillog_record",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("changing_until", BigInteger, nullable=False),
    Column("document", Text, nullable=False),  # JSON
)

# A key of kind client without a row here has the default terms.
client_terms = Table(
    "client_terms",
    metadata,
    Column("key", Integer, ForeignKey(keys.c.id), primary_key=True, autoincrement=False),
    Column("domains_allowed", Integer, nullable=False),
    Column("mailboxes_per_domain", Integer, nullable=False),
    Column("aliases_per_mailbox", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
)
