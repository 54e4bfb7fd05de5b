"""Types about reports that receivers send: DMARC aggregate reports (RFC 7489), and TLS reports (RFC 8460).

A domain must be watched as one whose reports come here. `MV_TLS_FAILURE` is not of the vendor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import Rule, one_comparison
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, ObservationKind


class Counted(NamedTuple):
    """Which reports are added up: the field of what failed, and those that add up to the whole, with its name."""

    kind: ObservationKind
    failed: str
    whole: tuple[str, ...] = ("messages",)
    name: str = "messages"


class _Sum(NamedTuple):
    whole: int
    failed: int
    newest: int


def failed_of(view: View, profile_id: str | None, amount: AmountInTime, counted: Counted) -> Iterator[Match]:
    """The watched domains whose reports of the stretch tell of so much that failed. No report: no answer."""
    begins = view.now - amount.time_range.milliseconds
    watched = view.watched(AssetKind.DMARC, profile_id)
    for domain, sums in view.kept(("failing", counted, begins), lambda: _sums(view, counted, begins)).items():
        if domain not in watched or not amount.holds(sums.failed):
            continue
        yield Match(
            item={"domain": domain, "time_range": amount.time_range.value, "value": sums.failed},
            record={
                "domain": domain,
                "time_range": amount.time_range.value,
                "period_from": begins,
                "period_to": view.now,
                counted.name: sums.whole,
                "failed": sums.failed,
            },
            identity=(domain, amount.time_range.value),
            at=sums.newest,
        )


def _sums(view: View, counted: Counted, begins: int) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for report in view.since(counted.kind, begins):
        known = sums.get(report.asset, _Sum(0, 0, 0))
        failed = int(report.data.get(counted.failed, 0))
        whole = sum(int(report.data.get(field, 0)) for field in counted.whole)
        sums[report.asset] = _Sum(known.whole + whole, known.failed + failed, max(known.newest, report.at))
    return sums


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
    def adapted(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
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
