"""The tables of outbound governance, as SQLAlchemy sees them; they belong to the same ledger as those of `tables`.

A domain and its counters are one row: locking it locks both.
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

from mailvane.core.ledger.tables import keys, metadata, workspaces

domains = Table(
    "domains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", Integer, ForeignKey(workspaces.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("tier", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("enforcement", String(16), nullable=False),
    Column("daily_limit", BigInteger, nullable=False),
    Column("monthly_limit", BigInteger, nullable=False),
    Column("hourly_fraction", Float(53), nullable=False),
    Column("warmup_profile", String(16), nullable=False),
    Column("spike_max_multiplier", Float(53), nullable=False),
    Column("counting", String(16), nullable=False),
    Column("verification", String(16), nullable=False),
    Column("verification_token", Text, nullable=False),
    Column("dkim_tokens", Text, nullable=False),  # JSON, likewise below
    Column("closed", Boolean, nullable=False),
    Column("guillotine", Text),
    Column("removed_at", BigInteger),
    Column("approved", Boolean, nullable=False),
    Column("own_proof", Boolean, nullable=False),
    Column("day", Integer, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("month", Integer, nullable=False),
    Column("sent_today", BigInteger, nullable=False),
    Column("sent_this_hour", BigInteger, nullable=False),
    Column("sent_month", BigInteger, nullable=False),
    Column("bounces", BigInteger, nullable=False),
    Column("complaints", BigInteger, nullable=False),
    Column("first_day", Integer, nullable=False),
    Column("last_days", Text, nullable=False),  # JSON
    Column("unbilled_sent", BigInteger, nullable=False),
    Column("unbilled_bounces", BigInteger, nullable=False),
    Column("unbilled_complaints", BigInteger, nullable=False),
    Column("month_since", BigInteger, nullable=False),
    Column("baseline", Text, nullable=False),  # JSON, likewise below
    Column("other", Text, nullable=False),
    Index(None, "name", "workspace", unique=True),
    sqlite_autoincrement=True,
)
# Several workspaces may claim a name, and one at most has it.
Index(
    "ix_domains_approved_name",
    domains.c.name,
    unique=True,
    sqlite_where=domains.c.approved,
    postgresql_where=domains.c.approved,
)

# What a workspace sent from a domain that it has no more. The next freeze bills it and empties the table.
outstanding_usage = Table(
    "outstanding_usage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", Integer, ForeignKey(workspaces.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("monthly_limit", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("bounces", BigInteger, nullable=False),
    Column("complaints", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# The digest holds the domain's id, which is never given out twice: what a removed domain left behind matches nothing.
answers = Table(
    "answers",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("answered_at", BigInteger, nullable=False),
    Column("verdict", LargeBinary, nullable=False),
    Index(None, "answered_at"),
    sqlite_with_rowid=False,
)

# What was answered to an increment under an `Idempotency-Key`. The digest holds the workspace.
increment_keys = Table(
    "increment_keys",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("answered_at", BigInteger, nullable=False),
    Column("verdict", LargeBinary, nullable=False),
    Index(None, "answered_at"),
    sqlite_with_rowid=False,
)

# How many mails of a sender that has a limit of its own have passed on a day.
sender_days = Table(
    "sender_days",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("day", BigInteger, nullable=False),  # days since the epoch
    Column("sent", BigInteger, nullable=False),
    Index(None, "day"),
    sqlite_with_rowid=False,
)

feedback_ids = Table(
    "feedback_ids",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Index(None, "seen_at"),
    sqlite_with_rowid=False,
)

# The minute leads: what is written now lies together, so that a transaction of many domains writes few pages.
decision_minutes = Table(
    "decision_minutes",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("domain", Integer, primary_key=True, autoincrement=False),
    Column("asked", BigInteger, nullable=False),
    Column("allowed", BigInteger, nullable=False),
    Index(None, "domain"),
    sqlite_with_rowid=False,
)

domain_audit = Table(
    "domain_audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain", Text, nullable=False, index=True),
    Column("workspace", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    sqlite_autoincrement=True,
)

billing_periods = Table(
    "billing_periods",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("frozen_at", BigInteger, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("domains", Text, nullable=False),  # JSON
    sqlite_autoincrement=True,
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
)


# Recipients that mail is not to go to. A row for each reason: what expires leaves the others.
suppressions = Table(
    "suppressions",
    metadata,
    Column("address", Text, primary_key=True),  # leads: the door asks for addresses, of whatever workspace
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("reason", String(16), primary_key=True),
    Column("noticed_at", BigInteger, nullable=False),  # when it was last said
    Column("expires_at", BigInteger),  # None: by the setting of the reason
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("spared", BigInteger, nullable=False),  # mails that were refused for it; likewise warned
    Column("warned", BigInteger, nullable=False),
    Index(None, "workspace", "address"),
    sqlite_with_rowid=False,
)

# How many mails were refused, or marked, for suppressed recipients on a day.
suppression_days = Table(
    "suppression_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since the epoch
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("reason", String(16), primary_key=True),
    Column("spared", BigInteger, nullable=False),
    Column("warned", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Whose mail a mail server takes in and keeps: domains and logins.
holds = Table(
    "holds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("held_at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_with_rowid=False,
)


# Limits of the installation for senders, beside those of governed domains. `*`: of all that have none of their own.
send_limits = Table(
    "send_limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("hourly", BigInteger),
    Column("daily", BigInteger),
    Column("monthly", BigInteger),
    sqlite_with_rowid=False,
)

# That a sender or a governed domain has used up another twentieth of a limit, from a half on: kept for a few days, for
# whoever tells people. Workspace 0: of a sender that belongs to nobody in particular.
limit_marks = Table(
    "limit_marks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("workspace", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("window", String(16), nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("most", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index(None, "at"),
    sqlite_autoincrement=True,
)
