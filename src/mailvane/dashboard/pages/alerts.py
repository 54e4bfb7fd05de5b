"""Alerts that fired: by what, from there to the mails and their lines, whom it was told; what people made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.alert_tabs import counts_of
from mailvane.dashboard.pages.chain import Step, chain, steps
from mailvane.dashboard.pages.needs import Need
from mailvane.dashboard.pages.told import told_of
from mailvane.dashboard.panels import Panels
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.reputation.alerts.model import EntryState, FiredRule, LogEntry
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.texts.evidence import evidence_of, title
from mailvane.reputation.texts.sentences import condition

_FIRED = 50
_NEEDED = 5
_LOOKED_BACK_MS = 30 * DAY_MS
_ONE = "/{workspace:int}/alerts/fired/{entry:str}"


class Fired(msgspec.Struct, frozen=True):
    """An entry, with the rules in words."""

    entry: LogEntry
    told: str
    steps: Sequence[Step] = ()  # down to its proof
    snoozed_until: int | None = None  # its alert; None: that is gone


def listed(services: DashboardServices, visit: Visit) -> Reply:
    workspace, alerting = visit.workspace.id, services.reputation.alerting
    chosen, number = visit.asked("state"), visit.page_number()
    state = EntryState(chosen) if chosen in set(EntryState) else None
    question = EntryQuestion(
        workspace=workspace, alert_id=visit.asked("alert") or None, state=state, offset=(number - 1) * _FIRED,
        limit=_FIRED,
    )  # fmt: skip
    page = alerting.entries(question)
    more = number * _FIRED < page.total
    alerts = {alert.id: alert.snoozed_until for alert in alerting.alerts(workspace)}
    governed = {domain.name for domain in services.outbound.governance.domains(workspace)}
    values = {
        "section": "Alerts",
        "tab_counts": counts_of(services, visit),
        "fired": [
            Fired(entry, told(entry), steps(entry, alerts.keys(), governed), alerts.get(entry.alert_id))
            for entry in page.entries
        ],
        "total": page.total,
        "chosen": state.value if state else "",
        "counts": {each.value: count for each, count in alerting.entry_states(workspace).items()},
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if more else "",
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("alerts.html", values)


def show(services: DashboardServices, visit: Visit) -> Reply:
    workspace = visit.workspace.id
    entry = services.reputation.alerting.entry(workspace, visit.path["entry"])
    known = {alert.id for alert in services.reputation.alerting.alerts(workspace)}
    panels = Panels(services, visit, _ONE)
    raw = [(rule.type, msgspec.json.format(msgspec.json.encode(rule), indent=2).decode()) for rule in entry.rules]
    values = {
        "section": "Alerts",
        "fired": Fired(entry, told(entry)),
        "alert_is_known": entry.alert_id in known,
        "findings": list(zip(evidence_of(entry).findings, map(_in_words, entry.rules), strict=True)),
        "links": panels.ask("links", "Which mail it is about", lambda: list(chain(services, visit, entry)), []),
        "raw": raw,
        "messages": told_of(services, visit, services.notify.outbox.of_entry(workspace, entry.id)),
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return panels.html("fired.html", values)


def mails(services: DashboardServices, visit: Visit) -> Reply:
    """To the mail log, at the first question that finds mail that this is about."""
    entry = services.reputation.alerting.entry(visit.workspace.id, visit.path["entry"])
    links = [each for each in chain(services, visit, entry) if each.query]
    found = next((each for each in links if each.total), links[0] if links else None)
    return Redirect(f"/ui/{visit.workspace.id}/{found.log if found else f'alerts/fired/{entry.id}'}")


def lines(services: DashboardServices, visit: Visit) -> Reply:
    """To the newest mail that this is about, where its lines are."""
    entry = services.reputation.alerting.entry(visit.workspace.id, visit.path["entry"])
    found = next((mail for each in chain(services, visit, entry) for mail in each.mails), None)
    return Redirect(f"/ui/{visit.workspace.id}/{f'mail/{found.mail_id}' if found else f'alerts/fired/{entry.id}'}")


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
    since = visit.now - _LOOKED_BACK_MS
    question = EntryQuestion(workspace=visit.workspace.id, since=since, state=EntryState.OPEN, limit=_NEEDED)
    for entry in services.reputation.alerting.entries(question).entries:
        yield Need("bad", entry.name or "an alert fired", told(entry), f"alerts/fired/{entry.id}", "Evidence")


def _in_words(rule: FiredRule) -> str:
    """As it was configured when it fired."""
    return condition({**(rule.snapshot.get("rule") or {}), "type": rule.type})


def told(entry: LogEntry) -> str:
    """What matched, in a line."""
    told = evidence_of(entry)
    return told.summary or "; ".join(title(rule.type) for rule in entry.rules)


PAGES = (
    Page("get", "/{workspace:int}/alerts", listed),
    Page("get", _ONE, show),
    Page("get", f"{_ONE}/mails", mails),
    Page("get", f"{_ONE}/lines", lines),
    Page("post", f"{_ONE}/acknowledge", acknowledge, role=Role.OPERATOR),
    Page("post", f"{_ONE}/resolve", resolve, role=Role.OPERATOR),
)
