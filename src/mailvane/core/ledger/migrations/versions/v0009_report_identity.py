"""An aggregate report is known by its time range, too: some reporters use one id for every day."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_aggregate_reports_identity", "aggregate_reports")
    op.create_index(
        "uq_aggregate_reports_identity",
        "aggregate_reports",
        ["workspace", "organisation", "report_id", "domain", "begins", "ends"],
        unique=True,
    )
