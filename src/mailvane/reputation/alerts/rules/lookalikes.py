"""Types about domains that imitate a watched brand: how long ago they were registered or changed."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.reputation.alerts.comparing import Age
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import Rule, one_comparison
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, ObservationKind

_SHOWN = ("reg_created_date", "reg_updated_date", "registrar")


def dated(view: View, profile_id: str | None, age: Age, field: str) -> Iterator[Match]:
    """The lookalikes of watched brands whose date has this age; those that a user chose to ignore are left out."""
    brands = view.watched(AssetKind.LOOKALIKE, profile_id)
    for one in view.known(ObservationKind.LOOKALIKE):
        moment = one.data.get(field) or 0
        if one.asset not in brands or one.data.get("gone") or not age.holds(int(moment), view.now):
            continue
        state = view.details(AssetKind.LOOKALIKE, one.asset).get("states", {}).get(one.key, "UNCLASSIFIED")
        if state == "IGNORED":
            continue
        known = {name: one.data.get(name) for name in _SHOWN}
        record = {"domain": one.asset, "lookalike": one.key, **known, "state": state}
        yield Match(
            item={"domain": one.asset, "lookalike": one.key, "value": moment},
            record=record,
            identity=(one.asset, one.key),
            at=one.at,
        )


def _dated(name: str, field: str) -> type[Rule]:
    return one_comparison(
        name, ObservationKind.LOOKALIKE, Age, lambda view, profile, age: dated(view, profile, age, field)
    )


RULES = (
    _dated("LOOKALIKE_REG_CREATED_DATE", "reg_created_date"),
    _dated("LOOKALIKE_REG_UPDATED_DATE", "reg_updated_date"),
)
