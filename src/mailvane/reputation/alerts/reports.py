"""What rules about DMARC and TLS reports have in common: what failed, over a stretch of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
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
    for domain, told in view.kept(("failing", counted, begins), lambda: _sums(view, counted, begins)).items():
        if domain not in watched or not amount.holds(told.failed):
            continue
        yield Match(
            item={"domain": domain, "time_range": amount.time_range.value, "value": told.failed},
            record={
                "domain": domain,
                "time_range": amount.time_range.value,
                "period_from": begins,
                "period_to": view.now,
                counted.name: told.whole,
                "failed": told.failed,
            },
            identity=(domain, amount.time_range.value),
            at=told.newest,
        )


def _sums(view: View, counted: Counted, begins: int) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for report in view.since(counted.kind, begins):
        known = sums.get(report.asset, _Sum(0, 0, 0))
        failed = int(report.data.get(counted.failed, 0))
        whole = sum(int(report.data.get(field, 0)) for field in counted.whole)
        sums[report.asset] = _Sum(known.whole + whole, known.failed + failed, max(known.newest, report.at))
    return sums
