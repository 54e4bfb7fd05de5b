"""Which workspaces a person may look at, each with the figures of a day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.tenants.model import Workspace
from mailvane.dashboard.parts.interval import interval
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.mailboxes.rates import wilson
from mailvane.maillog.followed_logs import FollowedLogState
from mailvane.maillog.queries import HourlyCounts, HourlyQuestion
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
    open_alerts: int
    logs: Sequence[FollowedLogState]


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
    """From questions about this workspace only."""
    relays = tuple(relay.id for relay in services.tenancy.relays(workspace.id))
    question = HourlyQuestion(workspace=workspace.id, relays=relays, since=visit.now - DAY_MS, until=visit.now)
    hours = services.maillog.hourly(question) if relays else []
    domains = services.outbound.governance.domains(workspace.id)
    accepted, delivered, bounced = (
        sum(getattr(hour, name) for hour in hours) for name in ("accepted", "delivered", "bounced")
    )
    return Row(
        workspace=workspace, accepted=accepted, course=_course(hours, visit.now), delivered=delivered, bounced=bounced,
        rate=_rate(bounced, delivered + bounced),
        stopped=sum(domain.stopped for domain in domains), domains=len(domains),
        open_alerts=services.reputation.alerting.entry_states(workspace.id).get(EntryState.OPEN, 0),
        logs=services.followed.of(workspace.name) if services.followed else (),
    )  # fmt: skip


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
