"""GP_DELIVERY_ERROR_RATIO: the share of a domain's mail that was turned away for one reason, by Google."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import Ratio
from mailvane.alerts.rule import Rule, record_of
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import AssetKind, ObservationKind


class GpDeliveryErrorRatio(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_DELIVERY_ERROR_RATIO"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_delivery_error_ratio: Ratio

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        watched = view.watched(AssetKind.GP_DOMAIN, profile_id)
        for day in view.known(self.READS):
            if day.asset not in watched:
                continue
            for error in day.data.get("deliveryErrors") or ():
                value = error.get("errorRatio")
                if isinstance(value, int | float) and self.gp_delivery_error_ratio.holds(value):
                    kind, reason = str(error.get("errorClass", "")), str(error.get("errorType", ""))
                    yield Match(
                        item={
                            "domain": day.asset,
                            "gp_delivery_error_class": kind,
                            "gp_delivery_error_type": reason,
                            "value": value,
                        },
                        record=record_of(day, ("deliveryErrors",)),
                        identity=(day.asset, kind, reason),
                        at=day.at,
                    )
