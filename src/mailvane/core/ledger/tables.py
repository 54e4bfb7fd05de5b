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

# Workspaces that were removed, so that mail of theirs which was still on its way is known for what it is.
removed_workspaces = Table(
    "removed_workspaces",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=False),
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
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    sqlite_autoincrement=True,
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


def workspace_column() -> Column[int]:
    return Column("workspace", Integer, ForeignKey(workspaces.c.id), nullable=False)


def document_column() -> Column[str]:
    return Column("document", Text, nullable=False)


leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

# The processes of `mailvane serve` that share the ledger.
nodes = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),  # a hash of the master token
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
