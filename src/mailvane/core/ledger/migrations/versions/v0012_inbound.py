"""Inbound mail: teams, domains, addresses, contacts, messages, filters, and who changed what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _who()
    _contacts()
    _messages()


def _who() -> None:
    op.create_table(
        "inbound_teams",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "inbound_domains",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_inbound_domains_workspace", "inbound_domains", ["workspace"])
    op.create_table(
        "inbound_addresses",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("mailbox", sa.String(36), sa.ForeignKey("inbound_addresses.id")),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("weekly_limit", sa.BigInteger, nullable=False),
        sa.Column("quarantine_at", sa.Float(53)),
        sa.Column("reject_at", sa.Float(53)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_inbound_addresses_list", "inbound_addresses", ["workspace", "type", "created_at", "id"])
    op.create_index("ix_inbound_addresses_mailbox", "inbound_addresses", ["mailbox"])
    op.create_table(
        "inbound_weeks",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("address", sa.String(36), primary_key=True),
        sa.Column("week", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _contacts() -> None:
    op.create_table(
        "inbound_contacts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("email_count", sa.BigInteger, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_inbound_contacts_count", "inbound_contacts", ["workspace", "email_count", "id"])
    op.create_index("ix_inbound_contacts_seen", "inbound_contacts", ["workspace", "last_seen_at", "id"])
    op.create_index("ix_inbound_contacts_state_count", "inbound_contacts", ["workspace", "state", "email_count", "id"])
    op.create_index("ix_inbound_contacts_state_seen", "inbound_contacts", ["workspace", "state", "last_seen_at", "id"])
    op.create_index("uq_inbound_contacts_email", "inbound_contacts", ["workspace", "email"], unique=True)
    op.create_table(
        "inbound_tallies",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(32), primary_key=True),
        sa.Column("stretch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbound_filters",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_inbound_filters_order", "inbound_filters", ["workspace", "position", "id"])
    op.create_table(
        "inbound_audit",
        sa.Column("serial", _SERIAL, primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbound_audit_list", "inbound_audit", ["workspace", "at", "serial"])


def _messages() -> None:
    op.create_table(
        "inbound_messages",
        sa.Column("serial", _SERIAL, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("address", sa.String(36)),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("recipient_number", sa.Integer, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("contact", sa.String(36), nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("from_address", sa.Text, nullable=False),
        sa.Column("from_name", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("client_name", sa.Text, nullable=False),
        sa.Column("protocol", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Float(53)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("symbols", sa.Text, nullable=False),
        sa.Column("authentication", sa.Text, nullable=False),
        sa.Column("filter", sa.String(36)),
        sa.Column("content", sa.String(64)),
        sa.Column("hop", sa.Text, nullable=False),
        sa.Column("marks", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("delivered_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("trained", sa.String(8), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_inbound_messages_address", "inbound_messages", ["workspace", "address", "received_at", "serial"]
    )
    op.create_index(
        "ix_inbound_messages_contact", "inbound_messages", ["workspace", "contact", "received_at", "serial"]
    )
    op.create_index("ix_inbound_messages_content", "inbound_messages", ["content"])
    op.create_index("ix_inbound_messages_due", "inbound_messages", ["next_at", "received_at"])
    op.create_index("ix_inbound_messages_expires_at", "inbound_messages", ["expires_at"])
    op.create_index("ix_inbound_messages_list", "inbound_messages", ["workspace", "received_at", "serial"])
    op.create_index("ix_inbound_messages_score", "inbound_messages", ["workspace", "score", "serial"])
    op.create_index("ix_inbound_messages_status", "inbound_messages", ["workspace", "status", "received_at", "serial"])
    op.create_index("ix_inbound_messages_status_score", "inbound_messages", ["workspace", "status", "score", "serial"])
