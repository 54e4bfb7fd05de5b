"""Writing an alert: in words, what it would have done by what is stored, and only then kept."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.dashboard.pages.alert_form import AlertForm, draft_of, form_of, new_form, read_form
from mailvane.dashboard.parts.bars import Bar, bars
from mailvane.dashboard.parts.curve import curve
from mailvane.dashboard.parts.local_time import utc_day
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.notify.model import Channel, Severity
from mailvane.reputation.alerts.backtest import Backtest
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.lines import compared_field
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.model import SOURCE_OF, SOURCES, Source
from mailvane.reputation.texts.evidence import formed, headline, meaning_of
from mailvane.reputation.texts.sentences import condition

RANGES = {"30": 30, "90": 90, "400": 400}  # days
_USUAL_RANGE = "30"
_MOST_SHOWN = 30
_SNOOZES = {"1h": HOUR_MS, "1d": DAY_MS, "7d": 7 * DAY_MS}


class Kind(msgspec.Struct, frozen=True):
    """A rule type to begin with."""

    name: str
    title: str
    meaning: str


class Said(msgspec.Struct, frozen=True):
    """Once that it would have fired."""

    at: int
    told: str
    anchor: str  # of the first one of a day


def choose(services: DashboardServices, visit: Visit) -> Reply:
    """Which type; or, where one was chosen, the form."""
    if visit.asked("type") or "draft" in visit.query:
        return _form(services, visit, None)
    groups: dict[str, list[Kind]] = {}
    for name, rule in CATALOGUE.items():
        meaning = meaning_of(name)
        source: Source = SOURCE_OF[rule.READS]
        groups.setdefault(SOURCES[source].title, []).append(Kind(name, meaning.title, meaning.meaning))
    return Html("alert_kinds.html", {"section": "Alerts", "groups": groups})


def edit(services: DashboardServices, visit: Visit) -> Reply:
    alert = services.reputation.alerting.alert(visit.workspace.id, visit.path["alert"])
    if alert.webhook_url and not visit.visitor.may(visit.workspace.id, Role.OPERATOR):
        # The address of a webhook may be a secret of its receiver.
        alert = msgspec.structs.replace(alert, webhook_url="https://hidden.invalid/")
    return _form(services, visit, alert)


def lines(services: DashboardServices, visit: Visit) -> Reply:
    """How often it would have fired, by where the line is; asked for by itself, as it takes a while."""
    return Html("alert_lines.html", _lines(services, visit, draft_of(read_form(visit.query))))


def create(services: DashboardServices, visit: Visit) -> Reply:
    try:
        services.reputation.alerting.create(visit.workspace.id, draft_of(read_form(visit.form)), visit.now)
    except InvalidFields as error:
        return _form(services, visit, None, error)
    return Redirect(f"/ui/{visit.workspace.id}/alerts/rules")


def save(services: DashboardServices, visit: Visit) -> Reply:
    alerting, one = services.reputation.alerting, visit.path["alert"]
    try:
        alerting.update(visit.workspace.id, one, draft_of(read_form(visit.form)), visit.now)
    except InvalidFields as error:
        return _form(services, visit, alerting.alert(visit.workspace.id, one), error)
    return Redirect(f"/ui/{visit.workspace.id}/alerts/rules")


def remove(services: DashboardServices, visit: Visit) -> Reply:
    services.reputation.alerting.remove(visit.workspace.id, visit.path["alert"])
    return Redirect(f"/ui/{visit.workspace.id}/alerts/rules")


def snooze(services: DashboardServices, visit: Visit) -> Reply:
    """For a while, or no more; then back to the list of what fired, where it was asked there."""
    until = visit.now + _SNOOZES[visit.entered("for")] if visit.entered("for") in _SNOOZES else 0
    services.reputation.alerting.snooze(visit.workspace.id, visit.path["alert"], until)
    shown = "" if visit.entered("back") else f"/rules/{visit.path['alert']}"
    return Redirect(f"/ui/{visit.workspace.id}/alerts{shown}")


def _form(services: DashboardServices, visit: Visit, alert: Alert | None, wrong: InvalidFields | None = None) -> Reply:
    given = visit.form or (visit.query if "type" in visit.query or "draft" in visit.query else {})
    try:
        form = read_form(given) if _is_filled(given) else form_of(alert) if alert else new_form(visit.asked("type"))
    except InvalidFields as error:
        raise InvalidInput(error.message) from None
    draft: AlertDraft | None = None
    looked: dict[str, object] = {}
    try:
        draft = draft_of(form)
        looked = _looked(services, visit, draft) if _is_filled(given) or alert else {}
    except InvalidFields as error:
        wrong = wrong or (error if _is_filled(given) else None)
    return Html("alert_form.html", _values(services, visit, form, alert) | {
        "wrong": wrong.fields if wrong else (), "draft": draft, "looked": looked,
        "conditions": [condition(rule) for rule in draft.rules] if draft else [],
        "json": msgspec.json.format(msgspec.json.encode(draft), indent=2).decode() if draft else "",
        "curl": _curl(visit, draft) if draft else "",
    }, 400 if visit.form and wrong else 200)  # fmt: skip


def _is_filled(given: object) -> bool:
    return isinstance(given, dict) and bool({"name", "draft"} & given.keys())


def _values(services: DashboardServices, visit: Visit, form: AlertForm, alert: Alert | None) -> dict[str, object]:
    workspace = visit.workspace.id
    channels = services.notify.named.all(workspace)
    failures = services.reputation.alerting.failures([alert.id]).get(alert.id, {}) if alert else {}
    warned = services.reputation.warnings.of(workspace, [alert]).get(alert.id, ()) if alert else ()
    return {
        "section": "Alerts", "form": form, "alert": alert, "title": meaning_of(form.kind).title if form.kind else "",
        "kind": meaning_of(form.kind) if form.kind else None, "channels": channels,
        "slack": [each for each in channels if each.kind is Channel.SLACK],
        "failures": failures, "warned": warned,
        "profiles": services.reputation.profiles.profiles(workspace), "ranges": RANGES, "range": _range(visit),
        "channel_names": {each.id: each.name for each in channels}, "severities": [each.value for each in Severity],
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
        "here": f"/ui/{workspace}/alerts/" + (f"rules/{alert.id}" if alert else "new"),
    }  # fmt: skip


def _range(visit: Visit) -> str:
    chosen = visit.asked("days", _USUAL_RANGE)
    return chosen if chosen in RANGES else _USUAL_RANGE


def _span(visit: Visit) -> tuple[int, int]:
    return visit.now - RANGES[_range(visit)] * DAY_MS, visit.now


def _looked(services: DashboardServices, visit: Visit, draft: AlertDraft) -> dict[str, object]:
    """What it would have done. Raises InvalidFields."""
    found = services.reputation.alerting.backtest(visit.workspace.id, draft, *_span(visit))
    said: list[Said] = []
    for firing in found.firings[-_MOST_SHOWN:]:
        day = f"on-{firing.at // DAY_MS}"
        told = [headline(rule.type, item) for rule in firing.rules for item in _items(rule.matchings)]
        said.append(Said(firing.at, "; ".join(told), "" if any(day == each.anchor for each in said) else day))
    query = {name: list(values) for name, values in visit.query.items() if name != "curve"}
    asked = urlencode(query, doseq=True)
    wants_curve = len(draft.rules) == 1 and compared_field(draft.rules[0]) is not None and bool(query)
    return {
        "found": found, "times": len(found.firings), "said": said[::-1], "failing": found.failing,
        "chart": _chart(found),
        "lines": f"/ui/{visit.workspace.id}/alerts/lines?{asked}" if wants_curve else "",
        "curve": _lines(services, visit, draft) if wants_curve and visit.asked("curve") else None,
        "with_curve": f"?{asked}&curve=1",
        "with_days": {each: "?" + urlencode({**query, "days": each}, doseq=True) for each in RANGES},
    }  # fmt: skip


def _items(matchings: object) -> Sequence[dict[str, object]]:
    items = matchings.get("items", ()) if isinstance(matchings, dict) else ()
    return [item for item in items if isinstance(item, dict)][:3]


def _chart(found: Backtest) -> object:
    days: dict[int, int] = {}
    for firing in found.firings:
        days[firing.at // DAY_MS] = days.get(firing.at // DAY_MS, 0) + 1
    drawn = [
        Bar(day * DAY_MS, {"bad": days.get(day, 0)}, f"#on-{day}", f"{utc_day(day * DAY_MS)}: "
            f"{days.get(day, 0)} times")
        for day in range(found.since // DAY_MS, found.until // DAY_MS + 1)
    ]  # fmt: skip
    return bars(drawn, utc_day, "Firings a day")


def _lines(services: DashboardServices, visit: Visit, draft: AlertDraft) -> dict[str, object]:
    points = services.reputation.alerting.firings_by_line(visit.workspace.id, draft, *_span(visit))
    if not points:
        return {"points": [], "picture": "", "days": RANGES[_range(visit)]}
    field = compared_field(draft.rules[0]) or ""
    now_at, form = float(draft.rules[0][field]["value"]), meaning_of(str(draft.rules[0]["type"])).value.form
    told = [(formed(each.line, form), each.firings, each.line == now_at) for each in points]
    return {"points": told, "picture": curve(told), "days": RANGES[_range(visit)]}


def _curl(visit: Visit, draft: AlertDraft) -> str:
    body = msgspec.json.encode(draft).decode()
    return (
        f'curl -H "X-API-KEY: $MAILVANE_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)} \\\n  {visit.origin}/api/v1.0/alerts"
    )


_ONE = "/{workspace:int}/alerts/rules/{alert:str}"
PAGES = (
    Page("get", "/{workspace:int}/alerts/new", choose),
    Page("post", "/{workspace:int}/alerts/new", create, role=Role.OPERATOR),
    Page("get", "/{workspace:int}/alerts/lines", lines),
    Page("get", _ONE, edit),
    Page("post", _ONE, save, role=Role.OPERATOR),
    Page("post", f"{_ONE}/remove", remove, role=Role.OPERATOR),
    Page("post", f"{_ONE}/snooze", snooze, role=Role.OPERATOR),
)
