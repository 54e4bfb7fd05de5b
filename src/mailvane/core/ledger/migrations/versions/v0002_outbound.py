"""Outbound governance: domains with their counters, what was answered, decided, done and billed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _domains()
    _seen()
    _kept()


def _domains() -> None:
    op.create_table(
        "domains",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("enforcement", sa.String(16), nullable=False),
        sa.Column("daily_limit", sa.BigInteger, nullable=False),
        sa.Column("monthly_limit", sa.BigInteger, nullable=False),
        sa.Column("hourly_fraction", sa.Float(53), nullable=False),
        sa.Column("warmup_profile", sa.String(16), nullable=False),
        sa.Column("spike_max_multiplier", sa.Float(53), nullable=False),
        sa.Column("counting", sa.String(16), nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        sa.Column("verification_token", sa.Text, nullable=False),
        sa.Column("dkim_tokens", sa.Text, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("guillotine", sa.Text),
        *_counters(),
        sa.UniqueConstraint("name", name="uq_domains_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domains_workspace", "domains", ["workspace"])


def _counters() -> list[sa.Column[object]]:
    return [
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("sent_today", sa.BigInteger, nullable=False),
        sa.Column("sent_this_hour", sa.BigInteger, nullable=False),
        sa.Column("sent_month", sa.BigInteger, nullable=False),
        sa.Column("bounces", sa.BigInteger, nullable=False),
        sa.Column("complaints", sa.BigInteger, nullable=False),
        sa.Column("first_day", sa.Integer, nullable=False),
        sa.Column("last_days", sa.Text, nullable=False),
        sa.Column("unbilled_sent", sa.BigInteger, nullable=False),
        sa.Column("unbilled_bounces", sa.BigInteger, nullable=False),
        sa.Column("unbilled_complaints", sa.BigInteger, nullable=False),
    ]


def _seen() -> None:
    op.create_table(
        "answers",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("answered_at", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_answers_answered_at", "answers", ["answered_at"])
    op.create_table(
        "feedback_ids",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_feedback_ids_seen_at", "feedback_ids", ["seen_at"])
    op.create_table(
        "decision_minutes",
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("domain", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("asked", sa.BigInteger, nullable=False),
        sa.Column("allowed", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_decision_minutes_domain", "decision_minutes", ["domain"])


def _kept() -> None:
    op.create_table(
        "domain_audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("workspace", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domain_audit_domain", "domain_audit", ["domain"])
    op.create_table(
        "billing_periods",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("frozen_at", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("domains", sa.Text, nullable=False),
        sa.UniqueConstraint("idempotency_key", name="uq_billing_periods_idempotency_key"),
        sqlite_autoincrement=True,
    )
