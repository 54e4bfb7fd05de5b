"""Lists of inbound mail: parts of texts are found by an index, which is filled while the server runs; messages are
counted by days and by scores, too; and a list of one recipient, or of contacts with a text, is read from one index.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


BY_DAY = (
    "INSERT INTO inbound_tallies (workspace, what, stretch, count)"
    " SELECT workspace, what || '/day', stretch / 144, sum(count) FROM inbound_tallies"
    " WHERE what LIKE 'message%' GROUP BY 1, 2, 3"
)
_OF_EACH_STATUS = (
    "INSERT INTO inbound_tallies (workspace, what, stretch, count)"
    " SELECT workspace, 'message:' || status || '/score', CASE WHEN score IS NULL THEN -1000000"
    " WHEN score >= 10000 THEN 80000 WHEN score <= -10000 THEN -80000 ELSE EIGHTHS END, count(*)"
    " FROM inbound_messages GROUP BY 1, 2, 3"
)
_OF_ALL = (
    "INSERT INTO inbound_tallies (workspace, what, stretch, count)"
    " SELECT workspace, 'message/score', stretch, sum(count) FROM inbound_tallies"
    " WHERE what LIKE 'message:%/score' GROUP BY 1, 2, 3"
)
_EIGHTHS = {
    # A number that is made an integer loses its fraction in SQLite and is rounded in PostgreSQL.
    "sqlite": "CAST(score * 8 AS INTEGER) - (score * 8 < CAST(score * 8 AS INTEGER))",
    "postgresql": "CAST(floor(score * 8) AS BIGINT)",
}


def by_score(engine: str) -> tuple[str, str]:
    """Of each status, and of all together."""
    return _OF_EACH_STATUS.replace("EIGHTHS", _EIGHTHS[engine]), _OF_ALL


def upgrade() -> None:
    for chosen in ("recipient", "address"):
        name = f"ix_inbound_messages_{chosen}"
        op.drop_index(name, "inbound_messages")
        op.create_index(name, "inbound_messages", ["workspace", chosen, "received_at", "serial", "status", "score"])
    # What a row of an index of PostgreSQL has room for, with an address.
    op.execute("UPDATE inbound_contacts SET name = substr(name, 1, 255) WHERE length(name) > 255")
    for name, columns in (
        ("ix_inbound_contacts_first", ["first_seen_at", "id", "state", "email", "name"]),
        ("ix_inbound_contacts_name", ["name", "id", "state", "email"]),
    ):
        op.drop_index(name, "inbound_contacts")
        op.create_index(name, "inbound_contacts", ["workspace", *columns])
    op.create_index("ix_inbound_contacts_texts", "inbound_contacts", ["workspace", "email", "name", "state", "id"])
    _count()
    _search()


def _count() -> None:
    connection = op.get_bind()
    for statement in (BY_DAY, *by_score(connection.dialect.name)):
        connection.execute(sa.text(statement))


def _search() -> None:
    op.create_table(
        "inbound_search_blocks",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("live", sa.LargeBinary, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False),
    )
    op.create_index("ix_inbound_search_blocks_block", "inbound_search_blocks", ["block"])
    op.create_table(
        "inbound_search_postings",
        sa.Column("workspace", sa.Integer, sa.ForeignKey("workspaces.id"), primary_key=True, autoincrement=False),
        sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("places", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
