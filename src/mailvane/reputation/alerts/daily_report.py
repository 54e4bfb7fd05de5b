"""The report of a day: which alerts that asked for it fired, and what could not be known. Built, and posted once.

How it looks is the affair of whoever delivers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from mailvane.core.daily import Day, days_before
from mailvane.core.tenants.model import Workspace
from mailvane.core.tenants.store import TenantStore
from mailvane.notify.model import Channel, Notification
from mailvane.reputation.alerts.model import EntryState, LogEntry
from mailvane.reputation.alerts.stores import AlertingStores
from mailvane.reputation.model import ASKED_ABOUT, OUTSIDE, SOURCES, Comes, Source, SourceHealth
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.store.alert_log import AlertLogStore

MOST_ALERTS = 100
MOST_ITEMS = 5  # of a rule type of an alert
_MOST_MISSED = 7  # ours: days; what is older is looked up, not mailed
_PAGE = 50  # entries may be large


class RuleLine(msgspec.Struct, frozen=True):
    """What satisfied the rules of one type: the newest, and how many there are."""

    type: str
    items: tuple[Mapping[str, Any], ...]
    count: int


class AlertLine(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: str
    name: str
    fired: int
    unattended: int  # of these, how many nobody acknowledged or resolved
    first_at: int
    last_at: int
    rules: tuple[RuleLine, ...]


class ProfileLines(msgspec.Struct, frozen=True):
    profile: str  # empty: of none
    alerts: tuple[AlertLine, ...]


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A source that fails, or has said nothing of some assets for too long: what it would say is unknown."""

    source: Source
    assets: int
    unknown: int
    succeeded_at: int = 0
    error: str = ""


class UnjudgedLine(msgspec.Struct, frozen=True):
    """An alert with a rule that could not be evaluated."""

    name: str
    reason: str


class DailyReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="daily"):
    """A day of a workspace."""

    workspace: str
    day: Day
    watching: int  # active alerts that asked to be in the report
    alerts: int  # that fired
    firings: int
    profiles: tuple[ProfileLines, ...]
    left_out: int  # alerts that fired and are not shown
    sources: tuple[SourceLine, ...]
    unjudged: tuple[UnjudgedLine, ...]


class Recipients(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the reports of which workspaces."""

    all: tuple[str, ...] = ()  # of every workspace that is not named below
    of_workspace: Mapping[str, tuple[str, ...]] = {}  # by the workspace's name, in place of those

    def of(self, workspace: Workspace) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.of_workspace.get(workspace.name, self.all)))


class DailyReports:
    """Posts the report of a day to its recipients, workspace by workspace. Any number of nodes may do so.

    Days that were missed since the last report that a recipient got, as no server ran, are told with it.
    """

    def __init__(self, stores: AlertingStores, tenants: TenantStore, recipients: Recipients, stale_ms: int) -> None:
        self._stores = stores
        self._tenants = tenants
        self._recipients = recipients
        self._stale_ms = stale_ms

    def post(self, day: Day, now: int) -> int:
        """How many messages; those that were posted before change nothing."""
        posted = 0
        for workspace in self._tenants.workspaces():
            recipients = self._recipients.of(workspace)
            missed = {to: self._missed(day, workspace.id, to) for to in recipients}
            for told in [*days_before(day, _MOST_MISSED), day]:
                wanting = [to for to in recipients if told == day or told in missed[to]]
                report = daily_report(self._stores, workspace, told, now, self._stale_ms) if wanting else None
                if report is not None:
                    self._stores.outbox.post([_message(report, workspace.id, to, now) for to in wanting])
                    posted += len(wanting)
        return posted

    def _missed(self, day: Day, workspace: int, recipient: str) -> list[Day]:
        """Days before that one which come after the last that was posted; none where none was, not long ago."""
        days = days_before(day, _MOST_MISSED)
        ids = {one.name: _id(one, workspace, recipient) for one in days}
        known = self._stores.outbox.known(list(ids.values()))
        last = max((place for place, one in enumerate(days) if ids[one.name] in known), default=None)
        return [] if last is None else days[last + 1 :]


def daily_report(stores: AlertingStores, workspace: Workspace, day: Day, now: int, stale_ms: int) -> DailyReport | None:
    """What there is to tell; None where no alert asked to be in the report."""
    flagged = [
        one
        for one in stores.alerts.alerts(workspace.id)
        if one.is_active and one.is_in_daily_report and one.created_at < day.until
    ]
    fired = _FiredAlerts()
    for entry in _entries(stores.alert_log, workspace.id, day):
        fired.take(entry)
    if not flagged and not fired.alerts:
        return None
    names = {profile.id: profile.name for profile in stores.profiles.profiles(workspace.id)}
    states = stores.alert_log.states([alert.id for alert in flagged]) if flagged else {}
    lines = []
    for alert in flagged:
        failures = states[alert.id].failures if alert.id in states else {}
        if failures:
            lines.append(UnjudgedLine(alert.name, next(iter(failures.values()))))
    return DailyReport(
        workspace=workspace.name,
        day=day,
        watching=len(flagged),
        alerts=len(fired.alerts),
        firings=sum(one.fired for one in fired.alerts.values()),
        profiles=fired.profiles(names),
        left_out=max(0, len(fired.alerts) - MOST_ALERTS),
        sources=_sources(stores, workspace.id, now - stale_ms),
        unjudged=tuple(lines[:MOST_ALERTS]),
    )


def _message(report: DailyReport, workspace: int, recipient: str, now: int) -> Notification:
    return Notification(
        id=_id(report.day, workspace, recipient),
        workspace=workspace,
        channel=Channel.EMAIL,
        target=recipient,
        subject=f"daily report {report.day.name}",
        body=msgspec.to_builtins(report),
        created_at=now,
        next_at=now,
    )


def _id(day: Day, workspace: int, recipient: str) -> str:
    """The same on every node, and after a restart."""
    who = sha256(recipient.encode()).hexdigest()[:16]
    return f"daily_{day.name}_{workspace}_{who}"


def _entries(alert_log: AlertLogStore, workspace: int, day: Day) -> Iterator[LogEntry]:
    """The newest first."""
    offset = 0
    while True:
        question = EntryQuestion(
            workspace=workspace, since=day.since, until=day.until, daily_report_only=True, offset=offset, limit=_PAGE
        )
        page = alert_log.entries(question)
        yield from page.entries
        offset += _PAGE
        if offset >= page.total or not page.entries:
            return


class _AlertTold:
    """What is gathered of one alert, from its newest entry to its oldest."""

    def __init__(self, newest: LogEntry) -> None:
        self.newest = newest
        self.oldest = newest
        self.fired = 0
        self.unattended = 0
        self._items: dict[str, dict[bytes, Mapping[str, Any]]] = {}

    def take(self, entry: LogEntry) -> None:
        self.oldest = entry
        self.fired += 1
        self.unattended += entry.state is EntryState.OPEN
        for rule in entry.rules:
            known = self._items.setdefault(rule.type, {})
            for item in rule.matchings.get("items") or ():
                # The number of a later firing replaces that of an earlier one.
                named = {name: value for name, value in item.items() if name != "value"}
                known.setdefault(msgspec.json.encode(named, order="sorted"), item)

    def line(self) -> AlertLine:
        rules = [RuleLine(kind, tuple(items.values())[:MOST_ITEMS], len(items)) for kind, items in self._items.items()]
        return AlertLine(
            alert_id=self.newest.alert_id,
            name=self.newest.name,
            fired=self.fired,
            unattended=self.unattended,
            first_at=self.oldest.at,
            last_at=self.newest.at,
            rules=tuple(rules),
        )


class _FiredAlerts:
    """What is gathered of a day."""

    def __init__(self) -> None:
        self.alerts: dict[str, _AlertTold] = {}

    def take(self, entry: LogEntry) -> None:
        self.alerts.setdefault(entry.alert_id, _AlertTold(entry)).take(entry)

    def profiles(self, names: Mapping[str, str]) -> tuple[ProfileLines, ...]:
        """By name, those of none first; the alert that fired last comes first."""
        groups: dict[str, list[AlertLine]] = {}
        for alert in list(self.alerts.values())[:MOST_ALERTS]:
            groups.setdefault(names.get(alert.newest.profile_id or "", ""), []).append(alert.line())
        return tuple(ProfileLines(name, tuple(groups[name])) for name in sorted(groups))


def _sources(stores: AlertingStores, workspace: int, fresh_since: int) -> tuple[SourceLine, ...]:
    health = {one.source: one for one in stores.observations.health(workspace)}
    lines = []
    for source in OUTSIDE:
        since = fresh_since if SOURCES[source].comes is Comes.ASKED else 0  # the silence of the others tells nothing
        standing = stores.assets.asset_standing(workspace, ASKED_ABOUT[source], since)
        known = health.get(source, SourceHealth(source=source))
        if standing.assets and (standing.unknown or known.failures):
            lines.append(
                SourceLine(
                    source=source, assets=standing.assets, unknown=standing.unknown, succeeded_at=known.succeeded_at,
                    error=known.error if known.failures else standing.error,
                )
            )  # fmt: skip
    return tuple(lines)
