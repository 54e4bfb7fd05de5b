"""How a workspace's inbound mail stands now: the health report's figures, its alerts, and how counts went by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
from markupsafe import Markup

from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.inbound.health.model import COUNTS, Status, TeamReport
from mailvane.inbound.health.texts.words import NAMES, change, counted, figure, of_limit, unknowns, usage, without_mark

_DAYS = 28
_LINKS = {
    "quarantine_pending": "quarantine", "failed_count": "messages?status=failed",
    "denied_count": "messages?status=denied", "aliases_used": "aliases",
}  # fmt: skip
_MARKS = {Status.HEALTHY: "ok", Status.ALERTS: "warn", Status.UNKNOWN: "unknown"}


class Line(msgspec.Struct, frozen=True):
    """A figure of the report."""

    name: str
    told: str
    is_known: bool
    link: str  # below inbound; "" where no page lists what is counted
    picture: Markup  # of its days; empty where none is known


def show(services: DashboardServices, visit: Visit) -> Reply:
    report = services.health(visit.workspace)
    values = {
        "section": "Inbound",
        "tab": "Health",
        "status": report.status.value,
        "mark": _MARKS[report.status],
        "alerts": [without_mark(each) for each in report.alerts],
        "trends": [change(each) for each in report.trends if each.is_clear],
        "lines": [_line(report, name) for name in COUNTS],
        "senders": report.reading.metrics.top_senders,
        "unknown": unknowns(report.reading),
        "at": report.reading.at,
        "days": _DAYS,
    }
    return Html("inbound_health.html", values)


def _line(report: TeamReport, name: str) -> Line:
    metrics = report.reading.metrics
    told = {
        "weekly_used": lambda: usage(metrics),
        "aliases_used": lambda: of_limit(metrics.aliases_used, metrics.aliases_limit),
        "mailboxes_used": lambda: figure(metrics.mailboxes_used),
    }.get(name, lambda: counted(report.reading, name))()
    title = NAMES.get(name, "mailboxes")
    is_known = getattr(metrics, name) is not None
    return Line(title.capitalize(), told, is_known, _LINKS.get(name, ""), _picture(report, name, title))


def _picture(report: TeamReport, name: str, title: str) -> Markup:
    counts = {each.day: each.counts[name] for each in report.days if name in each.counts}
    if not counts:
        return Markup("")
    last = date.fromisoformat(max(counts))
    days: Sequence[str] = [(last - timedelta(days=back)).isoformat() for back in range(_DAYS - 1, -1, -1)]
    return spark([counts.get(day, 0) for day in days], f"{title} of {_DAYS} days, {len(counts)} of them known", "ok")


PAGES = (Page("get", "/{workspace:int}/inbound/health", show),)
