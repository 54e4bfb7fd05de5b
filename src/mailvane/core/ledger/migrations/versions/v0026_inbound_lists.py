"""Indexes for lists of inbound mail: by sender, recipient, score of several statuses; contacts in other orders."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_inbound_messages_score", "inbound_messages")
    op.create_index("ix_inbound_messages_score", "inbound_messages", ["workspace", "score", "serial", "status"])
    op.create_index("ix_inbound_messages_sender", "inbound_messages", ["workspace", "sender", "received_at", "serial"])
    op.create_index(
        "ix_inbound_messages_recipient", "inbound_messages", ["workspace", "recipient", "received_at", "serial"]
    )
    op.create_index("ix_inbound_contacts_first", "inbound_contacts", ["workspace", "first_seen_at", "id"])
    op.create_index("ix_inbound_contacts_name", "inbound_contacts", ["workspace", "name", "id"])
