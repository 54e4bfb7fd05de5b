"""DMARC_DMARC_FAIL: so many messages failed DMARC, by DMARC aggregate reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mailvane.alerts.comparing import AmountInTime
from mailvane.alerts.reports import failing
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class DmarcDmarcFail(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "DMARC_DMARC_FAIL"
    READS: ClassVar[ObservationKind] = ObservationKind.DMARC

    dmarc_dmarc_fail: AmountInTime

    @classmethod
    def mended(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The guide puts the time range of this type under the name of another."""
        own, other = raw.get("dmarc_dmarc_fail"), raw.get("dmarc_dkim_fail")
        if not isinstance(own, dict) or "time_range" in own or not isinstance(other, dict) or "time_range" not in other:
            return raw
        return {**raw, "dmarc_dmarc_fail": {**own, "time_range": other["time_range"]}}

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return failing(view, profile_id, self.dmarc_dmarc_fail, "dmarc_fail")
