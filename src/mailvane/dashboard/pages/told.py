"""Whom alerts told: each message with its tries and what the receiver answered; a message is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from mailvane.dashboard.pages.alert_tabs import counts_of
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.notify.model import Attempt, Channel, Notification, NotificationState, Target

_ROWS = 100
_MARKS = {
    NotificationState.PENDING: "warn",
    NotificationState.DELIVERED: "ok",
    NotificationState.FAILED: "bad",
    NotificationState.DISABLED: "none",
    NotificationState.WITHDRAWN: "none",
}


class Told(msgspec.Struct, frozen=True):
    """A message, and how it fares."""

    message: Notification
    mark: str
    where: str
    last: Attempt | None


class Place(msgspec.Struct, frozen=True):
    """Somewhere that cannot be told."""

    target: Target
    where: str


def listed(services: DashboardServices, visit: Visit) -> Reply:
    workspace, chosen = visit.workspace.id, visit.asked("state")
    state = NotificationState(chosen) if chosen in set(NotificationState) else None
    found = services.notify.outbox.notifications(workspace, state, _ROWS)
    names = channel_names(services, visit)
    failing = [each for each in services.notify.outbox.targets(workspace) if each.failing_since]
    values = {
        "section": "Alerts",
        "tab_counts": counts_of(services, visit),
        "messages": told_of(services, visit, found),
        "failing": [Place(each, place(each.channel, each.target, names)) for each in failing],
        "chosen": state.value if state else "",
        "states": [each.value for each in NotificationState],
        "most": _ROWS,
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("told.html", values)


def show(services: DashboardServices, visit: Visit) -> Reply:
    """Every try of one message."""
    attempts = services.notify.outbox.attempts(visit.workspace.id, visit.path["message"])
    return Html("tries.html", {"section": "Alerts", "message": visit.path["message"], "attempts": attempts})


def resend(services: DashboardServices, visit: Visit) -> Reply:
    services.notify.outbox.resend(visit.workspace.id, visit.path["message"], visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/alerts/told")


def told_of(services: DashboardServices, visit: Visit, found: Sequence[Notification]) -> list[Told]:
    names = channel_names(services, visit)
    tries = services.notify.outbox.last_attempts([each.id for each in found])
    return [
        Told(each, _MARKS[each.state], place(each.channel, each.target, names), tries.get(each.id)) for each in found
    ]


def place(channel: Channel, target: str, names: Mapping[str, str]) -> str:
    """For people: of a webhook the host only, as its address may be a secret. `names`: of channels, by id."""
    if channel is Channel.EMAIL:
        return target
    if channel is not Channel.WEBHOOK or "://" not in target:
        return f"{channel.value.capitalize()}, {names.get(target, 'a channel that is gone')}"
    try:
        return f"{urlsplit(target).hostname or 'a webhook'}/…"
    except ValueError:
        return "a webhook"


def channel_names(services: DashboardServices, visit: Visit) -> dict[str, str]:
    """By id."""
    return {each.id: each.name for each in services.notify.named.all(visit.workspace.id)}


_ONE = "/{workspace:int}/alerts/told/{message:str}"
PAGES = (
    Page("get", "/{workspace:int}/alerts/told", listed),
    Page("get", _ONE, show),
    Page("post", f"{_ONE}/resend", resend, role=Role.OPERATOR),
)
