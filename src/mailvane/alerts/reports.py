"""What rules about DMARC aggregate reports have in common: messages that failed, over a stretch of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailvane.alerts.comparing import AmountInTime
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import AssetKind, ObservationKind


class _Sum(NamedTuple):
    messages: int
    failed: int
    newest: int


def failing(view: View, profile_id: str | None, amount: AmountInTime, field: str) -> Iterator[Match]:
    """The watched domains whose reports of the stretch tell of so many messages that failed. No report: no answer."""
    begins = view.now - amount.time_range.milliseconds
    watched = view.watched(AssetKind.DMARC, profile_id)
    for domain, told in view.kept(("failing", field, begins), lambda: _sums(view, field, begins)).items():
        if domain not in watched or not amount.holds(told.failed):
            continue
        yield Match(
            item={"domain": domain, "time_range": amount.time_range.value, "value": told.failed},
            record={
                "domain": domain,
                "time_range": amount.time_range.value,
                "period_from": begins,
                "period_to": view.now,
                "messages": told.messages,
                "failed": told.failed,
            },
            identity=(domain, amount.time_range.value),
            at=told.newest,
        )


def _sums(view: View, field: str, begins: int) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for report in view.since(ObservationKind.DMARC, begins):
        known = sums.get(report.asset, _Sum(0, 0, 0))
        messages, failed = int(report.data.get("messages", 0)), int(report.data.get(field, 0))
        sums[report.asset] = _Sum(known.messages + messages, known.failed + failed, max(known.newest, report.at))
    return sums
