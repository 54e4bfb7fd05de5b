"""Types about reports that receivers send: DMARC aggregate reports (RFC 7489), and TLS reports (RFC 8460).

A domain must be watched as one whose reports come here. `MV_TLS_FAILURE` is not of the vendor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.reports import Counted, failed_of
from mailvane.reputation.alerts.rule import Rule, one_comparison
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import ObservationKind


def _messages(name: str, field: str) -> type[Rule]:
    """So many messages of a stretch of time failed, which a field of the reports counts."""
    counted = Counted(ObservationKind.DMARC, field)
    return one_comparison(
        name,
        ObservationKind.DMARC,
        AmountInTime,
        lambda view, profile, amount: failed_of(view, profile, amount, counted),
    )


def _sessions(name: str) -> type[Rule]:
    """So many SMTP sessions of a stretch of time failed to be protected by TLS."""
    counted = Counted(ObservationKind.TLS, "failed", ("succeeded", "failed"), "sessions")
    return one_comparison(
        name, ObservationKind.TLS, AmountInTime, lambda view, profile, amount: failed_of(view, profile, amount, counted)
    )


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
        return failed_of(view, profile_id, self.dmarc_dmarc_fail, Counted(self.READS, "dmarc_fail"))


RULES = (
    _messages("DMARC_SPF_FAIL", "spf_fail"),
    _messages("DMARC_DKIM_FAIL", "dkim_fail"),
    _messages("DMARC_SPF_ALIGNMENT_FAIL", "spf_alignment_fail"),
    _messages("DMARC_DKIM_ALIGNMENT_FAIL", "dkim_alignment_fail"),
    DmarcDmarcFail,
    _sessions("MV_TLS_FAILURE"),
)
