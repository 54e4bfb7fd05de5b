"""The alerts that there are: what each asks for, how it stands, how often it fired of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.alert_tabs import counts_of
from mailvane.dashboard.parts.spark import spark
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.alerts.warnings import Warned
from mailvane.reputation.texts.sentences import condition

_DAYS = 30


class Row(msgspec.Struct, frozen=True):
    """An alert as the list shows it."""

    alert: Alert
    conditions: Sequence[str]
    mark: str
    state: str
    why: str
    fired: int
    picture: Markup


def listed(services: DashboardServices, visit: Visit) -> Reply:
    workspace, alerting = visit.workspace.id, services.reputation.alerting
    found = alerting.alerts(workspace)
    failures = alerting.failures([alert.id for alert in found])
    warned = services.reputation.warnings.of(workspace, found)
    today = visit.now // DAY_MS
    days = alerting.firing_days(workspace, (today - _DAYS + 1) * DAY_MS)
    rows = []
    for alert in found:
        mark, state, why = _standing(alert, failures.get(alert.id, {}), warned.get(alert.id, ()), visit.now)
        counts = [days.get(alert.id, {}).get(day, 0) for day in range(today - _DAYS + 1, today + 1)]
        picture = spark(counts, f"{sum(counts):,} firings in {_DAYS} days")
        rows.append(Row(alert, [condition(rule) for rule in alert.rules], mark, state, why, sum(counts), picture))
    may_change = visit.visitor.may(workspace, Role.OPERATOR)
    return Html(
        "alert_rules.html",
        {
            "section": "Alerts",
            "tab_counts": counts_of(services, visit),
            "rows": rows,
            "days": _DAYS,
            "may_change": may_change,
        },
    )


def _standing(alert: Alert, failures: Mapping[str, str], warned: Sequence[Warned], now: int) -> tuple[str, str, str]:
    """A mark, a word and the reason. An alert that cannot be evaluated is unknown, whatever else it is."""
    reasons = list(failures.values())
    if not alert.is_active:
        return "none", "stopped", ""
    if reasons:
        return "unknown", "unknown", "; ".join(reasons)
    told = "; ".join(each.message for each in warned)
    if alert.snoozed_until > now:
        return "none", "silent until", told
    return ("warn", "watching, but", told) if told else ("ok", "watching", "")


PAGES = (Page("get", "/{workspace:int}/alerts/rules", listed),)
