"""When a key expires and was last used, for keys of every kind; until now those of customers alone had it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("expires_at", "last_used_at"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
        op.execute(
            f"UPDATE keys SET {name} = (SELECT client_terms.{name} FROM client_terms WHERE client_terms.key = keys.id)"  # noqa: S608
        )
        op.drop_column("client_terms", name)
