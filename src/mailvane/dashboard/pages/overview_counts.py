"""What happened in a time, slice by slice: by the hours that the mail log keeps, or by its deliveries.

Hours are of all mail, by when things happened. Deliveries are counted where that is too coarse, or not all mail is to
be seen: by when their mail was accepted, and by what has become of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.moments import HOUR_MS, MINUTE_MS
from mailvane.dashboard.pages.overview_range import Range
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion, LogQuestion, RefusedQuestion, TimeTallyQuestion
from mailvane.maillog.refused_questions import RefusedTimeQuestion

_FIELDS = {
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.DEFERRED: "deferred",
    DeliveryStatus.BOUNCED: "bounced",
    DeliveryStatus.EXPIRED: "bounced",
}


class Counts(msgspec.Struct, frozen=True):
    """Slices, the oldest first, each by the moment at which it begins."""

    slices: Sequence[HourlyCounts]
    accepts: str  # what was accepted is counted as: mails or deliveries
    before: int  # accepted in as long a time before

    def sum_of(self, name: str) -> int:
        return sum(getattr(each, name) for each in self.slices)


def counts_of(services: DashboardServices, visit: Visit, asked: LogQuestion, span: Range) -> Counts:
    """`asked`: whose mail. Raises StoreUnavailable."""
    earlier = span.since - (span.until - span.since)
    if span.grain < HOUR_MS or visit.reach is not None:
        window = msgspec.structs.replace(asked, since=earlier, until=span.since - 1)
        before, _ = services.history.total_and_first(window)
        return Counts(by_deliveries(services, asked, span), "deliveries", before)
    if not asked.relays:
        return Counts([], "mails", 0)
    # Both times as one question: what lies behind is of settled weeks for the most part, which are counted already.
    hours = HourlyQuestion(workspace=asked.workspace, relays=asked.relays, since=earlier, until=span.until)
    found, first = services.maillog.hourly(hours), span.since - span.since % HOUR_MS
    before = sum(each.accepted for each in found if each.hour < first)
    return Counts([each for each in found if each.hour >= first], "mails", before)


def by_deliveries(services: DashboardServices, asked: LogQuestion, span: Range) -> list[HourlyCounts]:
    """In slices of the range's grain."""
    if not asked.relays:
        return []
    found: dict[int, dict[str, int]] = {}
    question = msgspec.structs.replace(asked, since=span.since, until=span.until)
    for each in services.maillog.over_time(TimeTallyQuestion(question, span.grain)):
        slice_ = found.setdefault(each.since, {})
        for name in filter(None, ("accepted", _FIELDS.get(each.status, ""))):
            slice_[name] = slice_.get(name, 0) + each.count
    refused = RefusedQuestion(
        workspace=asked.workspace, relays=asked.relays, since=span.since, until=span.until, terms=asked.terms
    )
    for one in services.maillog.refused_over_time(RefusedTimeQuestion(refused, span.grain)):
        slice_ = found.setdefault(one.since, {})
        slice_["rejected"] = slice_.get("rejected", 0) + one.count
    names = ("accepted", "delivered", "deferred", "bounced", "rejected")
    return [HourlyCounts(at, **{name: found[at].get(name, 0) for name in names}) for at in sorted(found)]


def step_of(span: Range, most: int) -> int:
    """Of a chart of so many bars at most."""
    steps = (MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS)
    fitting = (step for step in steps if step >= span.grain and (span.until - span.since) / step <= most)
    return next(fitting, steps[-1])
