"""Which workspaces a person may look at, each with the figures of a day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.tenants.model import Workspace
from mailvane.dashboard.bound_services import bound_services
from mailvane.dashboard.pages.overview_counts import by_deliveries
from mailvane.dashboard.pages.overview_range import Range
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.mailboxes.rates import wilson
from mailvane.maillog.followed_logs import FollowedLogState
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion, LogQuestion
from mailvane.reputation.alerts.model import EntryState

_ROWS = 25  # each asks the mail log
_SCALE = 0.1  # ours: a tenth of all mail; pictures of rates below it can be compared


class Row(msgspec.Struct, frozen=True):
    """A workspace and its last 24 hours."""

    workspace: Workspace
    accepted: int
    course: Markup  # of it, by the hour
    delivered: int
    bounced: int
    rate: Markup | str  # of what bounced, with its interval; empty: nothing has ended
    stopped: int  # domains
    domains: int
    open_alerts: int | None  # None: the person may not know, likewise of logs
    logs: Sequence[FollowedLogState]
    is_whole: bool  # else it is of the domains alone that the person is bound to


def start(services: DashboardServices, visit: Visit) -> Reply:
    """The only workspace at once, otherwise the choice."""
    found = services.people.workspaces(visit.visitor)
    return Redirect(f"/ui/{found[0].id}" if len(found) == 1 else "/ui/workspaces")


def choose(services: DashboardServices, visit: Visit) -> Reply:
    found, number = services.people.workspaces(visit.visitor), visit.page_number()
    values = {
        "rows": [_row(services, visit, each) for each in found[(number - 1) * _ROWS : number * _ROWS]],
        "total": len(found),
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < len(found) else "",
    }
    return Html("workspaces.html", values)


def _row(services: DashboardServices, visit: Visit, workspace: Workspace) -> Row:
    """From questions about this workspace only, and of it what the person may see."""
    reach = visit.visitor.reach_in(workspace.id)
    seen = services if reach is None else bound_services(services, reach)
    hours = _hours(seen, visit.now, workspace.id) if reach is None else _deliveries(seen, visit.now, workspace.id)
    domains = seen.outbound.governance.domains(workspace.id)
    accepted, delivered, bounced = (
        sum(getattr(hour, name) for hour in hours) for name in ("accepted", "delivered", "bounced")
    )
    return Row(
        workspace=workspace, accepted=accepted, course=_course(hours, visit.now), delivered=delivered, bounced=bounced,
        rate=_rate(bounced, delivered + bounced),
        stopped=sum(domain.stopped for domain in domains), domains=len(domains),
        open_alerts=_open_alerts(services, workspace.id) if reach is None else None,
        logs=services.followed.of(workspace.name) if services.followed and reach is None else (),
        is_whole=reach is None,
    )  # fmt: skip


def _hours(services: DashboardServices, now: int, workspace: int) -> list[HourlyCounts]:
    relays = tuple(relay.id for relay in services.tenancy.relays(workspace))
    question = HourlyQuestion(workspace=workspace, relays=relays, since=now - DAY_MS, until=now)
    return services.maillog.hourly(question) if relays else []


def _deliveries(services: DashboardServices, now: int, workspace: int) -> list[HourlyCounts]:
    """Of the domains that the person is bound to."""
    relays = tuple(relay.id for relay in services.tenancy.relays(workspace))
    asked = LogQuestion(workspace=workspace, relays=relays)
    return by_deliveries(services, asked, Range("24h", now - DAY_MS, now, "", ""))


def _open_alerts(services: DashboardServices, workspace: int) -> int:
    return services.reputation.alerting.entry_states(workspace).get(EntryState.OPEN, 0)


def _course(hours: Sequence[HourlyCounts], now: int) -> Markup:
    found = {hour.hour // HOUR_MS: hour.accepted for hour in hours}
    last = now // HOUR_MS
    counts = [found.get(hour, 0) for hour in range(last - 24, last + 1)]  # the first is asked for as a whole
    return spark(counts, f"{sum(counts):,} mails accepted in 24 hours", "ok")


def _rate(bounced: int, finished: int) -> Markup | str:
    if not finished:
        return ""
    rate, bound = bounced / finished, wilson(bounced, finished)
    title = f"{rate:.1%} of {finished:,} bounced, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
    return interval(rate, bound.low, bound.high, max(_SCALE, bound.high), title)


PAGES = (Page("get", "", start), Page("get", "/workspaces", choose))
