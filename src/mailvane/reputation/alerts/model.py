"""Alerts: definition, matches, log entries and recipients. Values only; rules are in `alerts.rules`.

Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.notify.model import Severity

WINDOW_MS = DAY_MS  # within which the rules of an alert must have matched, and in which nothing is said twice


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a user defined. Rules are kept as they were written, in the words of the catalogue."""

    id: str
    workspace: int
    name: str
    created_at: int
    updated_at: int
    rules: tuple[Mapping[str, Any], ...]  # {"type": ..., "key": ..., and the configuration of that type}
    formula: str | None = None  # over the keys of the rules; None: there is one rule
    profile_id: str | None = None
    is_active: bool = True
    is_in_daily_report: bool = False
    is_instant_alert: bool = False
    is_on_dashboards: bool = False
    instant_alert_email: str | None = None
    webhook_url: str | None = None
    slack_integration_id: str | None = None
    severity: Severity = Severity.WARNING
    channel_ids: tuple[str, ...] = ()  # channels that have names
    snoozed_until: int = 0


class Match(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that satisfied a rule."""

    item: Mapping[str, Any]  # as the log shows it: the group keys that apply, and `value` where a number was compared
    record: Mapping[str, Any]  # the source's record, for the snapshot
    identity: tuple[str, ...]  # what it is news by: the same one is not said again within a day
    at: int  # the time that the record tells of


class FiredRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a log entry, frozen when it fired."""

    type: str
    snapshot: Mapping[str, Any]  # {"rule", "date_timestamp", "data", "truncated"}
    matchings: Mapping[str, Any]  # {"items", "count"}


class EntryState(StrEnum):
    """What people made of a log entry."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """That an alert fired, with the evidence."""

    id: str
    workspace: int
    alert_id: str
    profile_id: str | None
    name: str  # of the alert, then
    at: int
    rules: tuple[FiredRule, ...]
    in_daily_report: bool = False
    severity: Severity = Severity.WARNING
    state: EntryState = EntryState.OPEN
    state_at: int = 0
    state_by: str = ""


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one rule between evaluations."""

    matched_at: int = 0
    said: Mapping[str, int] = {}  # identity, its parts joined by "\x1f" -> when it was said last
    last: FiredRule | None = None  # of the last match, for an alert whose other rules match later
    failing: str = ""  # why it could not be evaluated


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an alert. The version tells two evaluations at once apart: only one is kept."""

    alert_id: str
    version: int = 0
    evaluated_at: int = 0
    rules: Mapping[str, RuleState] = {}  # by the rule's key, or its place ("0") when it has none
    failing: str = ""  # why the alert as a whole could not be evaluated

    @property
    def failures(self) -> dict[str, str]:
        """Why it could not be evaluated: by the keys of rules, and by "" of the alert as a whole."""
        whole = {"": self.failing} if self.failing else {}
        return whole | {key: rule.failing for key, rule in self.rules.items() if rule.failing}


class MaintenanceWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which alerts are logged, but no notification is sent."""

    id: str
    workspace: int
    since: int
    until: int
    profile_id: str | None = None  # None: of all profiles
    reason: str = ""
