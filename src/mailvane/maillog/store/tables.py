"""The tables of the journal: batches on their way to the mail log, and how far each source was read.

No queries here. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from mailvane.core.ledger.tables import metadata

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


# What of a file is being stored at this moment, or was when a process died: it is to be cut again as it was.
blocks = Table(
    "blocks",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
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


# A sequence must never be given out twice: a second shipper may settle it late, when a new batch already bears it.
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
