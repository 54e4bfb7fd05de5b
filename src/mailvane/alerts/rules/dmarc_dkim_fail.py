"""DMARC_DKIM_FAIL: so many messages failed DKIM, by DMARC aggregate reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import AmountInTime
from mailvane.alerts.reports import failing
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class DmarcDkimFail(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "DMARC_DKIM_FAIL"
    READS: ClassVar[ObservationKind] = ObservationKind.DMARC

    dmarc_dkim_fail: AmountInTime

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return failing(view, profile_id, self.dmarc_dkim_fail, "dkim_fail")
