"""The tables of inbound mail, as SQLAlchemy sees them; they belong to the same ledger as those of `core.ledger.tables`.

No queries here. Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from mailvane.core.ledger.tables import document_column, metadata, workspace_column

_Serial = BigInteger().with_variant(Integer, "sqlite")
_Id = String(36)

teams = Table(
    "inbound_teams",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    document_column(),
)

domains = Table(
    "inbound_domains",
    metadata,
    Column("id", _Id, primary_key=True),
    workspace_column(),
    Column("name", Text, nullable=False, unique=True),
    document_column(),
    Index(None, "workspace"),
)

addresses = Table(
    "inbound_addresses",
    metadata,
    Column("id", _Id, primary_key=True),
    workspace_column(),
    Column("type", String(16), nullable=False),
    Column("address", Text, nullable=False, unique=True),
    Column("mailbox", _Id, ForeignKey("inbound_addresses.id"), index=True),
    Column("label", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("weekly_limit", BigInteger, nullable=False),
    Column("quarantine_at", Float(53)),
    Column("reject_at", Float(53)),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_inbound_addresses_list", "workspace", "type", "created_at", "id"),
)

# Messages accepted in a week, by address, and by the workspace as a whole where the address is "".
weeks = Table(
    "inbound_weeks",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    Column("address", _Id, primary_key=True),
    Column("week", BigInteger, primary_key=True, autoincrement=False),  # its first millisecond
    Column("messages", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

contacts = Table(
    "inbound_contacts",
    metadata,
    Column("id", _Id, primary_key=True),
    workspace_column(),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("category", Text, nullable=False),
    Column("email_count", BigInteger, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Index("uq_inbound_contacts_email", "workspace", "email", unique=True),
    Index("ix_inbound_contacts_count", "workspace", "email_count", "id"),
    Index("ix_inbound_contacts_first", "workspace", "first_seen_at", "id", "state", "email", "name"),
    Index("ix_inbound_contacts_name", "workspace", "name", "id", "state", "email"),
    Index("ix_inbound_contacts_seen", "workspace", "last_seen_at", "id"),
    Index("ix_inbound_contacts_state_count", "workspace", "state", "email_count", "id"),
    Index("ix_inbound_contacts_state_seen", "workspace", "state", "last_seen_at", "id"),
    Index("ix_inbound_contacts_texts", "workspace", "email", "name", "state", "id"),
)

messages = Table(
    "inbound_messages",
    metadata,
    Column("serial", _Serial, primary_key=True),
    Column("id", _Id, nullable=False, unique=True),
    workspace_column(),
    Column("number", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("address", _Id),
    Column("recipient", Text, nullable=False),
    Column("recipient_number", Integer, nullable=False),
    Column("target", Text, nullable=False),
    Column("contact", _Id, nullable=False),
    Column("sender", Text, nullable=False),
    Column("from_address", Text, nullable=False),
    Column("from_name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("client_name", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("score", Float(53)),
    Column("reason", Text, nullable=False),
    Column("symbols", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("filter", _Id),
    Column("content", String(64), index=True),
    Column("hop", Text, nullable=False),
    Column("marks", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("holder", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("delivered_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, index=True),
    Column("trained", String(8), nullable=False),
    Index("ix_inbound_messages_list", "workspace", "received_at", "serial"),
    Index("ix_inbound_messages_status", "workspace", "status", "received_at", "serial"),
    Index("ix_inbound_messages_score", "workspace", "score", "serial", "status"),
    Index("ix_inbound_messages_sender", "workspace", "sender", "received_at", "serial"),
    Index("ix_inbound_messages_recipient", "workspace", "recipient", "received_at", "serial", "status", "score"),
    Index("ix_inbound_messages_status_score", "workspace", "status", "score", "serial"),
    Index("ix_inbound_messages_address", "workspace", "address", "received_at", "serial", "status", "score"),
    Index("ix_inbound_messages_contact", "workspace", "contact", "received_at", "serial"),
    Index("ix_inbound_messages_due", "next_at", "received_at"),
    sqlite_autoincrement=True,
)

# Content of small mails on their way to a next hop. Everything else of content is files.
spool = Table(
    "inbound_spool",
    metadata,
    Column("message", _Id, primary_key=True),
    Column("content", String(64), nullable=False, index=True),  # SHA-256
    Column("packed", LargeBinary, nullable=False),
)

# What parts of texts are found by (`text_index`): of a block of serial numbers which messages are still there, as bits,
# when they came, and the words that many of them have, as JSON; and where each gram and word is. `ready`: all is kept.
search_blocks = Table(
    "inbound_search_blocks",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("live", LargeBinary, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("words", Text, nullable=False),
    Column("ready", Boolean, nullable=False),
)
search_postings = Table(
    "inbound_search_postings",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("places", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# How many there are, kept with every change: messages by status and the ten minutes and the day in which they came, and
# by score, so that a page far down a list is found without counting rows up to it; contacts by state, in the stretch 0.
tallies = Table(
    "inbound_tallies",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    Column("what", String(32), primary_key=True),
    Column("stretch", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The day whose digest an address has had last.
digests = Table(
    "inbound_digests",
    metadata,
    Column("workspace", Integer, ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
    Column("address", _Id, primary_key=True),
    Column("day", String(10), nullable=False),
    sqlite_with_rowid=False,
)

filters = Table(
    "inbound_filters",
    metadata,
    Column("id", _Id, primary_key=True),
    workspace_column(),
    Column("position", Integer, nullable=False),
    document_column(),
    Index("ix_inbound_filters_order", "workspace", "position", "id"),
)

audit = Table(
    "inbound_audit",
    metadata,
    Column("serial", _Serial, primary_key=True),
    workspace_column(),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_inbound_audit_list", "workspace", "at", "serial"),
    sqlite_autoincrement=True,
)
