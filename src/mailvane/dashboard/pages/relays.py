"""Relays of a workspace: the logs that are read for each, how much mail came of it, and whether it is silent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.tenants.model import Relay
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.parts.local_time import local
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.maillog.followed_logs import LogReadings
from mailvane.maillog.queries import HourlyQuestion

_COUNTED = 20  # relays whose mail is counted: each asks the mail log
_LOOKED_BACK_MS = 7 * DAY_MS  # at least, for the last that came of a relay
_SILENT_MS = 6 * HOUR_MS  # ours: so long without a line, or without mail, is worth a mark
_AT = "/{workspace:int}/settings/relays"


class Figures(msgspec.Struct, frozen=True):
    """What the mail log has of a relay."""

    mails: int  # accepted this month, in the person's zone
    silent_ms: int | None  # since the end of the last hour in which anything happened; None: nothing did for long


class Row(msgspec.Struct, frozen=True):
    relay: Relay
    logs: Sequence[LogReadings]
    figures: Figures | None  # None: they are asked for after the page, or not at all


def listed(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    panels = Panels(services, visit, _AT)
    values = {
        **_table(services, visit, panels, with_figures=bool(visit.asked("figures"))),
        "section": "Settings",
        "tab": "Relays",
        "may_change": visit.visitor.may(visit.workspace.id, Role.OWNER),
        "failure": failure,
    }
    return Html("relays.html", values, 400) if failure else panels.html("relays.html", values)


def with_figures(services: DashboardServices, visit: Visit) -> Reply:
    """The table, asked for after the page: each relay asks the mail log."""
    panels = Panels(services, visit, _AT)
    values = _table(services, visit, panels, with_figures=True)
    return Html("relays_table.html", {**values, "unanswered": panels.unanswered})  # it replaces a part of a page


def _table(services: DashboardServices, visit: Visit, panels: Panels, *, with_figures: bool) -> dict[str, object]:
    relays = services.tenancy.relays(visit.workspace.id)
    logs = services.followed.readings(visit.workspace.name) if services.followed else []
    figures: dict[int, Figures] = {}
    if with_figures:
        figures = panels.ask("figures", "How much mail came", lambda: _figures(services, visit, relays), {})
    return {
        "relays": [Row(each, [log for log in logs if log.relay == each.id], figures.get(each.id)) for each in relays],
        "strays": [log for log in logs if log.relay not in {each.id for each in relays}],
        "month": f"{local(visit.now, visit.zone):%B}",
        "is_asked": with_figures,
        "silent_ms": _SILENT_MS,
        "looked_back_ms": _LOOKED_BACK_MS,
    }


def _figures(services: DashboardServices, visit: Visit, relays: Sequence[Relay]) -> dict[int, Figures]:
    """Raises StoreUnavailable."""
    month = local(visit.now, visit.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begins = int(month.timestamp() * 1000)
    since, found = min(begins, visit.now - _LOOKED_BACK_MS), {}
    for relay in relays[:_COUNTED]:
        question = HourlyQuestion(workspace=relay.workspace, relays=(relay.id,), since=since, until=visit.now)
        hours = services.maillog.hourly(question)
        last = max((each.hour + HOUR_MS for each in hours), default=None)
        silent = None if last is None else max(0, visit.now - last)
        found[relay.id] = Figures(sum(each.accepted for each in hours if each.hour >= begins), silent)
    return found


def add(services: DashboardServices, visit: Visit) -> Reply:
    try:
        services.tenancy.create_relay(visit.workspace.id, visit.entered("comment"), visit.now)
    except InvalidInput as error:
        return listed(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/settings/relays")


def change(services: DashboardServices, visit: Visit) -> Reply:
    """Its name, and whether it still sends."""
    one = _relay(services, visit)
    changed = msgspec.structs.replace(one, comment=visit.entered("comment"), active=bool(visit.entered("active")))
    try:
        services.tenancy.change_relay(changed)
    except InvalidInput as error:
        return listed(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/settings/relays")


def _relay(services: DashboardServices, visit: Visit) -> Relay:
    """One of this workspace."""
    found = next(
        (each for each in services.tenancy.relays(visit.workspace.id) if str(each.id) == visit.entered("relay")), None
    )
    if found is None:
        raise NotFound("there is no such relay")
    return found


PAGES = (
    Page("get", _AT, listed),
    Page("get", f"{_AT}/figures", with_figures),
    Page("post", _AT, add, role=Role.OWNER),
    Page("post", f"{_AT}/change", change, role=Role.OWNER),
)
