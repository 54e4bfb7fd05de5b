"""SNDS_COMPLAINT_RATE: complaints in percent of an address, by Microsoft.

Microsoft writes "< 0.1%" for little: that is above nothing and below 0.1, and equal to no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.addresses import numbered
from mailvane.alerts.comparing import Operator, Percentage
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind

_SHOWN = ("complaint_rate", "complaint_rate_upper_bound")


class SndsComplaintRate(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "SNDS_COMPLAINT_RATE"
    READS: ClassVar[ObservationKind] = ObservationKind.SNDS_DATA

    snds_complaint_rate: Percentage

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:  # noqa: ARG002 - SNDS knows no profiles
        found = numbered(view, self.snds_complaint_rate, "complaint_rate", _SHOWN)
        return (match for match in found if self._is_certain(match))

    def _is_certain(self, match: Match) -> bool:
        if not match.record.get("complaint_rate_upper_bound"):
            return True
        how = self.snds_complaint_rate.operator
        if how in (Operator.GT, Operator.GTE):
            return self.snds_complaint_rate.holds(0)
        return how is not Operator.EQ
