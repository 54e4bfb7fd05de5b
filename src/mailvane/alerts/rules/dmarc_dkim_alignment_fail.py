"""DMARC_DKIM_ALIGNMENT_FAIL: so many messages had a DKIM domain that is not aligned, by DMARC aggregate reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import AmountInTime
from mailvane.alerts.reports import failing
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind


class DmarcDkimAlignmentFail(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "DMARC_DKIM_ALIGNMENT_FAIL"
    READS: ClassVar[ObservationKind] = ObservationKind.DMARC

    dmarc_dkim_alignment_fail: AmountInTime

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return failing(view, profile_id, self.dmarc_dkim_alignment_fail, "dkim_alignment_fail")
