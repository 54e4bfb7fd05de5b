"""What recipients did lies in the order in which it came, and is found by its mail only where that is asked: clicks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_tracked_reactions_mail", "tracked_reactions")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_tracked_reactions_due_at", "tracked_reactions")
        op.rename_table("tracked_reactions", "tracked_reactions_by_digest")
        op.create_table(
            "tracked_reactions",
            sa.Column("digest", sa.LargeBinary(16), primary_key=True),
            sa.Column("workspace", sa.Integer, nullable=False),
            sa.Column("kind", sa.String(16), nullable=False),
            sa.Column("mail", sa.LargeBinary(16), nullable=False),
            sa.Column("due_at", sa.BigInteger, nullable=False),
            sa.Column("tries", sa.Integer, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
        )
        op.execute(
            "INSERT INTO tracked_reactions (digest, workspace, kind, mail, due_at, tries, document)"
            " SELECT digest, workspace, kind, mail, due_at, tries, document FROM tracked_reactions_by_digest"
            " ORDER BY due_at"
        )
        op.drop_table("tracked_reactions_by_digest")
        op.create_index("ix_tracked_reactions_due_at", "tracked_reactions", ["due_at"])
    clicks = sa.text("kind = 'clicked'")
    op.create_index(
        "ix_tracked_reactions_mail", "tracked_reactions", ["mail"], sqlite_where=clicks, postgresql_where=clicks
    )
