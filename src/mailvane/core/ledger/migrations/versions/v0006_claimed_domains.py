"""A name may be claimed by several workspaces, and one at most is approved to have it. Those that there are, are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    numbered = connection.dialect.name == "sqlite"
    last = _last_id(connection) if numbered else None
    with op.batch_alter_table("domains", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("uq_domains_name", type_="unique")
        batch.add_column(sa.Column("approved", sa.Boolean, nullable=False, server_default=sa.true()))
        batch.add_column(sa.Column("own_proof", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("domains", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("approved", server_default=None)
        batch.alter_column("own_proof", server_default=None)
    if last is not None:
        connection.execute(sa.text("UPDATE sqlite_sequence SET seq = :last WHERE name = 'domains'"), {"last": last})
    op.create_index("ix_domains_name", "domains", ["name", "workspace"], unique=True)
    approved = sa.text("approved")
    op.create_index(
        "ix_domains_approved_name",
        "domains",
        ["name"],
        unique=True,
        sqlite_where=approved,
        postgresql_where=approved,
    )


def _last_id(connection: sa.Connection) -> int | None:
    """SQLite copies the table, and would forget the ids that were given out last and are not there any more."""
    return connection.execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'domains'")).scalar()
