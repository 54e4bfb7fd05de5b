"""The tables of mailboxes. No queries here. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from mailvane.core.ledger.tables import document_column, metadata, workspaces

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    Column("id", String(24), primary_key=True),
    Column("address", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("provider", String(16), nullable=False),
    Column("daily_limit", BigInteger),
    Column("sending_enabled", Boolean, nullable=False),
    Column("warmup_started_at", BigInteger, nullable=False),
    Column("warmup_paused_at", BigInteger, nullable=False),
    Column("warmup_ends_at", BigInteger, nullable=False),
    Column("dns_score", Integer),
    Column("noticed", Boolean, nullable=False),
    document_column(),  # all of it, as JSON
)


Index("ix_mailboxes_address", mailboxes.c.address)
Index("ix_mailboxes_noticed", mailboxes.c.workspace, mailboxes.c.noticed, mailboxes.c.address)
Index("uq_mailboxes_address", mailboxes.c.workspace, mailboxes.c.address, unique=True)


mailbox_tags = Table(
    "mailbox_tags",
    metadata,
    Column("workspace", Integer, primary_key=True),
    Column("mailbox", String(24), primary_key=True),
    Column("tag", Text, primary_key=True),
    ForeignKeyConstraint(["workspace", "mailbox"], [mailboxes.c.workspace, mailboxes.c.id], ondelete="CASCADE"),
)


Index("ix_mailbox_tags_tag", mailbox_tags.c.workspace, mailbox_tags.c.tag)


mailbox_rules = Table(
    "mailbox_rules",
    metadata,
    Column("workspace", Integer, ForeignKey(workspaces.c.id), primary_key=True),
    document_column(),
)


tracking_secrets = Table(
    "tracking_secrets",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)


# What was done with a mail and is not in the mail log yet. Rows lie in the order in which they came: to write a page of
# the ledger for each would take longer than all else that a request of a pixel does.
reactions = Table(
    "tracked_reactions",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("workspace", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("mail", LargeBinary(16), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    document_column(),
)


Index("ix_tracked_reactions_due_at", reactions.c.due_at)
_CLICKS = reactions.c.kind == "clicked"
Index("ix_tracked_reactions_mail", reactions.c.mail, sqlite_where=_CLICKS, postgresql_where=_CLICKS)
