"""What alerts can do here that the EmailConsul API has no words for: trials, backtests, people's answers. Blocking.

Times are ISO 8601, or milliseconds since the epoch; answers are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS
from mailvane.notify.model import Notification
from mailvane.reputation.alerts.backtest import Firing
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.lines import LineFirings
from mailvane.reputation.alerts.model import Alert, LogEntry, MaintenanceWindow
from mailvane.reputation.alerts.service import Trial
from mailvane.reputation.questions import EntryPage, EntryQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json
from mailvane.web.parameters import Moment, moment, number, part

_USUAL_STRETCH_MS = 30 * DAY_MS
_MOST = 1000
_USUAL_ROWS = 20
_LONGEST_REASON = 500
LOG = (
    Parameter("alert_id", "Only of this alert."),
    Parameter("profile_id", "Only what belongs to this profile."),
    *part(_USUAL_ROWS, _MOST),
)


class BacktestBody(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it would be created, and the stretch of time to replay: the last 30 days if nothing is said."""

    alert: AlertDraft
    period_from: Moment | None = None
    period_to: Moment | None = None


class BacktestReply(msgspec.Struct, frozen=True, kw_only=True):
    """When it would have fired, with what, and how often a week."""

    since: int
    until: int
    evaluations: int
    firings: Sequence[Firing]
    per_week: float
    failing: dict[str, str]  # rules that could not be evaluated


class TrialBody(msgspec.Struct, frozen=True, kw_only=True):
    """How to try an alert."""

    notify: bool = False  # tell its channels, marked as a test


class SnoozeBody(msgspec.Struct, frozen=True, kw_only=True):
    """Until when no notification is sent; 0 ends it."""

    until: Moment


class WindowBody(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which alerts are logged and no notification is sent."""

    since: Moment
    until: Moment
    profile_id: str | None = None
    reason: str = ""


def backtest(services: ReputationServices, asked: Asked) -> BacktestReply:
    given = read_json(BacktestBody, asked.body)
    since, until = _stretch(given, asked.now)
    found = services.alerting.backtest(asked.workspace, given.alert, since, until, asked.wanted.check)
    return BacktestReply(
        since=found.since,
        until=found.until,
        evaluations=found.evaluations,
        firings=found.firings,
        per_week=found.per_week,
        failing=found.failing,
    )


def lines(services: ReputationServices, asked: Asked) -> list[LineFirings]:
    """Of an alert of one rule that compares a number; nothing of any other."""
    given = read_json(BacktestBody, asked.body)
    since, until = _stretch(given, asked.now)
    return services.alerting.firings_by_line(asked.workspace, given.alert, since, until, asked.wanted.check)


def _stretch(given: BacktestBody, now: int) -> tuple[int, int]:
    until = now if given.period_to is None else moment("period_to", given.period_to)
    return until - _USUAL_STRETCH_MS if given.period_from is None else moment("period_from", given.period_from), until


def trial(services: ReputationServices, asked: Asked) -> Trial:
    """Of an alert that is not kept yet."""
    return services.alerting.trial(asked.workspace, read_json(AlertDraft, asked.body), asked.now)


def trial_of(services: ReputationServices, asked: Asked) -> Trial:
    given = read_json(TrialBody, asked.body)
    return services.alerting.rehearse(asked.workspace, asked.path["alert_id"], given.notify, asked.now)


def test_channel(services: ReputationServices, asked: Asked) -> Notification:
    """What the receiver said stands with the notification's attempts."""
    channel = services.channels.named(asked.workspace, asked.path["channel_id"])
    return services.alerting.test_channel(asked.workspace, channel, asked.now)


def snooze(services: ReputationServices, asked: Asked) -> Alert:
    until = moment("until", read_json(SnoozeBody, asked.body).until)
    return services.alerting.snooze(asked.workspace, asked.path["alert_id"], until)


def log(services: ReputationServices, asked: Asked) -> EntryPage:
    """Of all alerts, with what people made of each entry; the newest first."""
    question = EntryQuestion(
        workspace=asked.workspace,
        alert_id=asked.query.get("alert_id") or None,
        profile_id=asked.query.get("profile_id") or None,
        offset=number(asked, "offset", 0, 2**31 - 1),
        limit=number(asked, "limit", _USUAL_ROWS, _MOST),
    )
    return services.alerting.entries(question)


def acknowledge(services: ReputationServices, asked: Asked) -> LogEntry:
    return services.alerting.acknowledge(asked.workspace, asked.path["entry_id"], asked.by, asked.now)


def resolve(services: ReputationServices, asked: Asked) -> LogEntry:
    return services.alerting.resolve(asked.workspace, asked.path["entry_id"], asked.by, asked.now)


def windows(services: ReputationServices, asked: Asked) -> list[MaintenanceWindow]:
    return services.alerting.windows(asked.workspace)


def add_window(services: ReputationServices, asked: Asked) -> MaintenanceWindow:
    given = read_json(WindowBody, asked.body)
    if len(given.reason) > _LONGEST_REASON:
        raise InvalidFields(("reason", f"longer than {_LONGEST_REASON} characters"))
    window = MaintenanceWindow(
        id=new_id(),
        workspace=asked.workspace,
        since=moment("since", given.since),
        until=moment("until", given.until),
        profile_id=given.profile_id or None,
        reason=given.reason,
    )
    return services.alerting.add_window(window)


def remove_window(services: ReputationServices, asked: Asked) -> None:
    services.alerting.remove_window(asked.workspace, asked.path["window_id"])
