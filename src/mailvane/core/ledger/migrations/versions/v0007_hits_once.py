"""A mail to traps or honeytokens is one observation, and an index finds hits in the order of their times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TWINS = sa.text(
    "DELETE FROM observations WHERE kind IN ('trap_hit', 'honeytoken_hit') AND EXISTS ("
    " SELECT 1 FROM observations AS other WHERE other.workspace = observations.workspace"
    " AND other.kind = observations.kind AND other.at = observations.at AND other.key = observations.key"
    " AND other.asset < observations.asset)"
)


def upgrade() -> None:
    op.drop_index("ix_observations_at", "observations")
    op.create_index("ix_observations_at", "observations", ["workspace", "kind", "at", "key"])
    op.execute(_TWINS)
