"""The first tables: tenants, keys, and the journal with what belongs to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tenants()
    _sources()
    _journal()


def _tenants() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_workspaces_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "relays",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("billing_day", sa.Integer, nullable=False),
        sa.Column("price_base", sa.String(40), nullable=False),
        sa.Column("price_per_thousand", sa.String(40), nullable=False),
        sa.Column("price_currency", sa.String(3), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_relays_workspace", "relays", ["workspace"])
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id")),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_keys_workspace", "keys", ["workspace"])


def _sources() -> None:
    op.create_table(
        "cursors",
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("tail", sa.LargeBinary, nullable=False),
        sa.Column("reference", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "in_flight",
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("workspace", sa.Integer, nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("claimed", sa.Boolean, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_ids",
        sa.Column("workspace", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_event_ids_seen_at", "event_ids", ["seen_at"])
