"""Types about domains that imitate a watched brand: how long ago they were registered or changed."""

from __future__ import annotations

from mailvane.reputation.alerts.comparing import Age
from mailvane.reputation.alerts.lookalikes import dated
from mailvane.reputation.alerts.rule import Rule, one_comparison
from mailvane.reputation.model import ObservationKind


def _dated(name: str, field: str) -> type[Rule]:
    return one_comparison(
        name, ObservationKind.LOOKALIKE, Age, lambda view, profile, age: dated(view, profile, age, field)
    )


RULES = (
    _dated("LOOKALIKE_REG_CREATED_DATE", "reg_created_date"),
    _dated("LOOKALIKE_REG_UPDATED_DATE", "reg_updated_date"),
)
