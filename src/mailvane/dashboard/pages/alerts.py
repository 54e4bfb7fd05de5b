"""Alerts: which there are, when they fired and by what; what people made of it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.moments import DAY_MS, iso_text
from mailvane.dashboard.pages.needs import Need
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.reputation.alerts.model import EntryState, LogEntry
from mailvane.reputation.questions import EntryQuestion

_FIRED = 50
_NEEDED = 5
_ITEMS = 3
_LOOKED_BACK_MS = 30 * DAY_MS
_MOMENTS = 10**12


class Fired(msgspec.Struct, frozen=True):
    """An entry, with the rules in words."""

    entry: LogEntry
    told: str


def listed(services: DashboardServices, visit: Visit) -> Reply:
    workspace = visit.workspace.id
    alerting = services.reputation.alerting
    found = alerting.alerts(workspace)
    entries = alerting.entries(EntryQuestion(workspace=workspace, limit=_FIRED)).entries
    values = {
        "section": "Alerts",
        "alerts": found,
        "failures": alerting.failures([alert.id for alert in found]),
        "fired": [Fired(entry, _told(entry)) for entry in entries],
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("alerts.html", values)


def show(services: DashboardServices, visit: Visit) -> Reply:
    entry = _entry(services, visit)
    rules = [
        (rule.type, msgspec.json.format(msgspec.json.encode(rule.matchings), indent=2).decode()) for rule in entry.rules
    ]
    values = {"section": "Alerts", "fired": Fired(entry, _told(entry)), "rules": rules}
    return Html("fired.html", values | {"may_change": visit.visitor.may(visit.workspace.id, Role.OPERATOR)})


def acknowledge(services: DashboardServices, visit: Visit) -> Reply:
    alerting, name = services.reputation.alerting, visit.visitor.user.name
    alerting.acknowledge(visit.workspace.id, visit.path["entry"], name, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/alerts")


def resolve(services: DashboardServices, visit: Visit) -> Reply:
    alerting, name = services.reputation.alerting, visit.visitor.user.name
    alerting.resolve(visit.workspace.id, visit.path["entry"], name, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/alerts")


def needs(services: DashboardServices, visit: Visit) -> Iterator[Need]:
    """What fired in the last thirty days and nobody has looked at."""
    question = EntryQuestion(workspace=visit.workspace.id, since=visit.now - _LOOKED_BACK_MS, limit=_FIRED)
    entries = services.reputation.alerting.entries(question).entries
    for entry in [each for each in entries if each.state is EntryState.OPEN][:_NEEDED]:
        yield Need("bad", entry.name or "an alert fired", _told(entry), f"alerts/fired/{entry.id}", "Evidence")


def _entry(services: DashboardServices, visit: Visit) -> LogEntry:
    question = EntryQuestion(workspace=visit.workspace.id, limit=1000)
    found = services.reputation.alerting.entries(question).entries
    entry = next((each for each in found if each.id == visit.path["entry"]), None)
    if entry is None:
        raise NotFound("there is no such entry")
    return entry


def _told(entry: LogEntry) -> str:
    """What matched, in a line."""
    return "; ".join(_rule_told(rule.type, rule.matchings.get("items", ())) for rule in entry.rules)


def _rule_told(kind: str, items: object) -> str:
    found = [each for each in items if isinstance(each, dict)] if isinstance(items, list | tuple) else []
    named = [" ".join(_plain(value) for value in each.values() if value not in (None, "")) for each in found[:_ITEMS]]
    more = f" and {len(found) - _ITEMS:,} more" if len(found) > _ITEMS else ""
    return f"{kind.replace('_', ' ').lower()}: {', '.join(named)}{more}" if named else kind.replace("_", " ").lower()


def _plain(value: object) -> str:
    """A number so large is a moment: milliseconds since the epoch."""
    return iso_text(value)[:10] if isinstance(value, int) and value > _MOMENTS else str(value)


_ONE = "/{workspace:int}/alerts/fired/{entry:str}"
PAGES = (
    Page("get", "/{workspace:int}/alerts", listed),
    Page("get", _ONE, show),
    Page("post", f"{_ONE}/acknowledge", acknowledge, role=Role.OPERATOR),
    Page("post", f"{_ONE}/resolve", resolve, role=Role.OPERATOR),
)
