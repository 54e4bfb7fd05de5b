"""Which workspaces a person may look at, each with the figures of a day."""

from __future__ import annotations

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.model import Workspace
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.maillog.queries import HourlyQuestion
from mailvane.reputation.alerts.model import EntryState

_ROWS = 25  # each asks the mail log


class Row(msgspec.Struct, frozen=True):
    """A workspace and its last 24 hours."""

    workspace: Workspace
    accepted: int
    delivered: int
    bounced: int
    stopped: int  # domains
    domains: int
    open_alerts: int


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
    return Row(
        workspace=workspace, accepted=sum(hour.accepted for hour in hours),
        delivered=sum(hour.delivered for hour in hours), bounced=sum(hour.bounced for hour in hours),
        stopped=sum(domain.stopped for domain in domains), domains=len(domains),
        open_alerts=services.reputation.alerting.entry_states(workspace.id).get(EntryState.OPEN, 0),
    )  # fmt: skip


PAGES = (Page("get", "", start), Page("get", "/workspaces", choose))
