"""Types about reports that receivers send: DMARC aggregate reports (RFC 7489), and TLS reports (RFC 8460).

A domain must be watched as one whose reports come here. `MV_` types are not of the vendor.

A report of several days says nothing of each: its counts are taken to be spread evenly over its days, and of these the
ones that end within the stretch are added up. A report of one day counts whole at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import DomainNames, Rule, meant, one_comparison, record_of
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind


class Counted(NamedTuple):
    """Which reports are added up: the field of what failed, and those that add up to the whole, with its name."""

    kind: ObservationKind
    failed: str
    whole: tuple[str, ...] = ("messages",)
    name: str = "messages"


class _Sum(NamedTuple):
    """Exact, as shares of several reports are added up."""

    whole: Fraction = Fraction(0)
    failed: Fraction = Fraction(0)
    newest: int = 0
    spread: int = 0  # how many of the reports tell of several days
    outside: Fraction = Fraction(0)  # of what failed by them, what falls on days before the stretch


def failed_of(view: View, profile_id: str | None, amount: AmountInTime, counted: Counted) -> Iterator[Match]:
    """The watched domains whose reports of the stretch tell of so much that failed. No report: no answer."""
    begins = view.now - amount.time_range.milliseconds
    watched = view.watched(AssetKind.DMARC, profile_id)
    for domain, sums in view.kept(("failing", counted, begins), lambda: _sums(view, counted, begins)).items():
        if domain not in watched or not amount.holds(sums.failed):
            continue
        spread = {"spread_reports": sums.spread, "failed_before": _number(sums.outside)} if sums.spread else {}
        yield Match(
            item={"domain": domain, "time_range": amount.time_range.value, "value": _number(sums.failed)},
            record={
                "domain": domain,
                "time_range": amount.time_range.value,
                "period_from": begins,
                "period_to": view.now,
                counted.name: _number(sums.whole),
                "failed": _number(sums.failed),
                **spread,
            },
            identity=(domain, amount.time_range.value),
            at=sums.newest,
        )


def _sums(view: View, counted: Counted, begins: int) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for report in view.since(counted.kind, begins):
        known = sums.get(report.asset, _Sum())
        failed = int(report.data.get(counted.failed, 0))
        whole = sum(int(report.data.get(field, 0)) for field in counted.whole)
        days, share = _share_within(report, begins)
        sums[report.asset] = _Sum(
            known.whole + whole * share,
            known.failed + failed * share,
            max(known.newest, report.at),
            known.spread + (days > 1),
            known.outside + failed * (1 - share),
        )
    return sums


def _share_within(report: Observation, begins: int) -> tuple[int, Fraction]:
    """Over how many days it is spread, and the share of those that end after a moment. It ends after it itself."""
    since = report.data.get("period_from")
    length = report.at - since if isinstance(since, int) else 0
    days = max(1, round(length / DAY_MS))  # a day of 23 or 25 hours is one, too
    within = sum(report.at - past * DAY_MS > begins for past in range(days)) if days > 1 else 1
    return days, Fraction(within, days)


def _number(exact: Fraction) -> float:
    """As it is shown: whole where it is, otherwise with two decimals."""
    return exact.numerator if exact.denominator == 1 else round(float(exact), 2)


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


class NewDmarcSender(Rule, frozen=True, kw_only=True):
    """A service that sends in the name of a domain for the first time, within a day of hearing of it.

    Those that were there while a domain's first reports came, or have sent for long, are no news.
    """

    TYPE: ClassVar[str] = "MV_NEW_DMARC_SENDER"
    READS: ClassVar[ObservationKind] = ObservationKind.SENDER

    domains: DomainNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.DMARC, profile_id, self.domains)
        for one in view.since(self.READS, view.now - DAY_MS):
            if one.asset in names and one.data.get("is_news"):
                item = {"domain": one.asset, "service": one.data.get("name") or one.key}
                yield Match(
                    item=item, record=record_of(one, ("service", "name", "messages", "first_seen")),
                    identity=(one.asset, one.key), at=one.at,
                )  # fmt: skip


RULES = (
    _messages("DMARC_SPF_FAIL", "spf_fail"),
    _messages("DMARC_DKIM_FAIL", "dkim_fail"),
    _messages("DMARC_SPF_ALIGNMENT_FAIL", "spf_alignment_fail"),
    _messages("DMARC_DKIM_ALIGNMENT_FAIL", "dkim_alignment_fail"),
    DmarcDmarcFail,
    _sessions("MV_TLS_FAILURE"),
    NewDmarcSender,
)
