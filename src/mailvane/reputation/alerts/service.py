"""Alerts as users have them: defined, evaluated when a source was refreshed, logged, notified, counted, previewed.

A firing is one transaction of the ledger: the log entry, what the alert remembers, and the messages in the outbox.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from mailvane.core.errors import InvalidFields, MailvaneError, NotAllowed, NotFound, Transient
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.notify.model import Attempt, NamedChannel, Notification, Severity, named_notification_id
from mailvane.reputation.alerts.backtest import Backtest, backtest, kinds_read
from mailvane.reputation.alerts.drafts import AlertDraft, drafted
from mailvane.reputation.alerts.engine import Evaluation, entry_of, evaluate, reason_of
from mailvane.reputation.alerts.lines import LineFirings, lines_of, with_line
from mailvane.reputation.alerts.mail_questions import Ask, nobody
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, FiredRule, LogEntry, MaintenanceWindow
from mailvane.reputation.alerts.rules import read_rule
from mailvane.reputation.alerts.stores import AlertingStores
from mailvane.reputation.alerts.telling import identities_of, told_places
from mailvane.reputation.alerts.view import COUNTED, LONGEST_MS, View, Watched
from mailvane.reputation.model import LOOKED_AT, SOURCE_OF, AssetKind, Observation, ObservationKind, Source
from mailvane.reputation.questions import AlertPage, AlertQuestion, EntryPage, EntryQuestion

log = logging.getLogger(__name__)

_TRIES = 3  # of an evaluation that another one came before
LONGEST_BACKTEST_MS = 400 * DAY_MS


class Evaluated(msgspec.Struct, frozen=True):
    """What a round of evaluating brought."""

    alerts: int
    fired: int
    failing: dict[str, dict[str, str]]  # by alert, then by rule ("": as a whole): why it could not be evaluated
    others: frozenset[str] = frozenset()  # active alerts of the workspace that read none of the sources


class Trial(msgspec.Struct, frozen=True):
    """What an alert would say at this moment, if it had said nothing before."""

    fired: tuple[FiredRule, ...]
    failing: dict[str, str]


class _Round(NamedTuple):
    """All alerts of a workspace look at the same view."""

    view: View
    windows: Sequence[MaintenanceWindow]


class Alerting:
    """Safe to share between threads and, with their ledger, between processes."""

    def __init__(
        self,
        stores: AlertingStores,
        high_reputation: Callable[[], frozenset[str]],
        stale_ms: int = 48 * HOUR_MS,
        check_host: Callable[[str], None] = lambda _host: None,
        on_failing: Callable[[int], None] = lambda _alerts: None,
    ) -> None:
        """What was not confirmed for `stale_ms` is unknown.

        `check_host` raises NotAllowed for a host of a webhook that must not be reached. `on_failing`
        hears how many alerts of a round could not be evaluated, wholly or by a rule.
        """
        self._stores = stores
        self._check_host = check_host
        self._on_failing = on_failing
        self._high_reputation = high_reputation
        self.stale_ms = stale_ms

    # -- defined ---------------------------------------------------------------------------------------------------

    def create(self, workspace: int, draft: AlertDraft, now: int) -> Alert:
        """A new alert; one that is active is evaluated at once. Raises InvalidFields."""
        empty = Alert(id=new_id(), workspace=workspace, name="", created_at=now, updated_at=now, rules=())
        alert = drafted(draft, empty)
        self._check_references(workspace, draft)
        self._stores.alerts.add_alert(alert)
        self._look_at_once(alert, now)
        return alert

    def update(self, workspace: int, alert_id: str, draft: AlertDraft, now: int) -> Alert:
        """Everything that the draft says. Raises NotFound, InvalidFields."""
        drafted(draft, self.alert(workspace, alert_id))
        self._check_references(workspace, draft)
        alert = self._stores.alerts.change_alert(
            workspace, alert_id, lambda known: msgspec.structs.replace(drafted(draft, known), updated_at=now)
        )
        self._look_at_once(alert, now)
        return alert

    def remove(self, workspace: int, alert_id: str) -> None:
        """Its log stays. Raises NotFound."""
        self._stores.alerts.remove_alert(workspace, alert_id)

    def alert(self, workspace: int, alert_id: str) -> Alert:
        """Raises NotFound."""
        found = self._stores.alerts.alert(workspace, alert_id)
        if found is None:
            raise NotFound(f"there is no alert {alert_id}")
        return found

    def alerts(self, workspace: int, profile_id: str | None = None) -> list[Alert]:
        """By creation."""
        return self._stores.alerts.alerts(workspace, profile_id)

    def page(self, question: AlertQuestion) -> AlertPage:
        """A part of a workspace's alerts, and how many there are in all."""
        return self._stores.alerts.alert_page(question)

    def state(self, alert_id: str) -> AlertState | None:
        """Its state; None until an evaluation changed it."""
        return self._stores.alert_log.states([alert_id]).get(alert_id)

    def failures(self, alert_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Of those that could not be evaluated last: why, by the keys of rules, and by "" of the alert as a whole."""
        return self._stores.alert_log.failures(alert_ids)

    def snooze(self, workspace: int, alert_id: str, until: int) -> Alert:
        """Tell nobody until then; what happens is logged. Raises NotFound."""
        return self._stores.alerts.change_alert(
            workspace, alert_id, lambda known: msgspec.structs.replace(known, snoozed_until=until)
        )

    def windows(self, workspace: int) -> list[MaintenanceWindow]:
        """The latest first."""
        return self._stores.alerts.windows(workspace)

    def add_window(self, window: MaintenanceWindow) -> MaintenanceWindow:
        """Raises InvalidFields."""
        if window.until <= window.since:
            raise InvalidFields(("until", "expected a later time than since"))
        if window.profile_id and window.profile_id not in {
            one.id for one in self._stores.profiles.profiles(window.workspace)
        }:
            raise InvalidFields(("profile_id", "there is no such profile"))
        self._stores.alerts.add_window(window)
        return window

    def remove_window(self, workspace: int, window_id: str) -> None:
        """Raises NotFound."""
        self._stores.alerts.remove_window(workspace, window_id)

    # -- logged ----------------------------------------------------------------------------------------------------

    def entries(self, question: EntryQuestion) -> EntryPage:
        """Raises NotFound when the question names an alert that there is not and never was a log of."""
        page = self._stores.alert_log.entries(question)
        if not page.total and question.alert_id is not None:
            self.alert(question.workspace, question.alert_id)
        return page

    def entry(self, workspace: int, entry_id: str) -> LogEntry:
        """Raises NotFound."""
        found = self._stores.alert_log.entry(workspace, entry_id)
        if found is None:
            raise NotFound(f"there is no log entry {entry_id}")
        return found

    def entry_states(self, workspace: int) -> Mapping[EntryState, int]:
        """How many log entries are in each state."""
        return self._stores.alert_log.entry_states(workspace)

    def firing_days(self, workspace: int, since: int) -> Mapping[str, Mapping[int, int]]:
        """How often each alert fired on each day of UTC from a time on: by alert, then by days since the epoch."""
        return self._stores.alert_log.firing_days_of_each(workspace, since)

    def acknowledge(self, workspace: int, entry_id: str, by: str, now: int) -> LogEntry:
        """Raises NotFound."""
        return self._stores.alert_log.mark_entry(workspace, entry_id, EntryState.ACKNOWLEDGED, now, by)

    def resolve(self, workspace: int, entry_id: str, by: str, now: int) -> LogEntry:
        """Raises NotFound."""
        return self._stores.alert_log.mark_entry(workspace, entry_id, EntryState.RESOLVED, now, by)

    # -- evaluated -------------------------------------------------------------------------------------------------

    def evaluate(self, workspace: int, sources: Collection[Source], now: int) -> Evaluated:
        """Every active alert that reads one of the sources."""
        active = [alert for alert in self._stores.alerts.alerts(workspace) if alert.is_active]
        # Those of which a rule reads one of the sources, or has to be shown as failing.
        concerned = [
            alert for alert in active if any(kind is None or SOURCE_OF[kind] in sources for kind in _reads(alert))
        ]
        others = frozenset(alert.id for alert in active) - {alert.id for alert in concerned}
        return msgspec.structs.replace(self._evaluate(concerned, now), others=others)

    def trial(self, workspace: int, draft: AlertDraft, now: int) -> Trial:
        """What it would report now. Nothing is stored or sent. Raises InvalidFields."""
        alert = self._unsaved(workspace, draft, now)
        found = evaluate(alert, self._view(workspace, kinds_read(alert), now), AlertState(alert_id=alert.id))
        return Trial(found.fired, dict(found.failing))

    def rehearse(self, workspace: int, alert_id: str, notify: bool, now: int) -> Trial:
        """What a stored alert would report now. On request it is sent to its channels, marked as a test.

        Raises NotFound.
        """
        alert = self.alert(workspace, alert_id)
        fields = AlertDraft.__struct_fields__
        found = self.trial(workspace, AlertDraft(**{name: getattr(alert, name) for name in fields}), now)
        if notify:
            marked = msgspec.structs.replace(alert, name=f"[test] {alert.name}")
            told = self._notifications(marked, entry_of(marked, found.fired, now, new_id()), now, is_test=True)
            self._stores.outbox.post(told)
        return found

    def test_channel(self, workspace: int, channel: NamedChannel, now: int) -> Notification:
        """Tell a channel that it can be told, whatever its terms are."""
        entry = LogEntry(
            id=new_id(), workspace=workspace, alert_id="", profile_id=None, at=now, rules=(),
            name=f"[test] This is how Mailvane tells {channel.name}", severity=Severity.INFO,
        )  # fmt: skip
        body = {**msgspec.to_builtins(entry), "test": True}
        message = Notification(
            id=named_notification_id(entry.id, channel.id), workspace=workspace, channel=channel.kind,
            target=channel.sent_to, subject=entry.name, body=body, created_at=now, next_at=now, at_once=True,
        )  # fmt: skip
        self._stores.outbox.post([message])
        return message

    def attempts(self, workspace: int, notification_id: str) -> list[Attempt]:
        """How it was tried to deliver a message, the oldest first. Raises NotFound."""
        return self._stores.outbox.attempts(workspace, notification_id)

    def still_holds(self, entry: LogEntry, now: int) -> bool | None:
        """Whether anything that the entry tells of matches still; None when that is unknown. Raises NotFound."""
        found = self.rehearse(entry.workspace, entry.alert_id, False, now)
        told = {identity for rule in entry.rules for identity in identities_of(rule)}
        matching = {identity for rule in found.fired for identity in identities_of(rule)}
        if told & matching or (not told and found.fired):
            return True
        return None if found.failing else False

    def backtest(
        self, workspace: int, draft: AlertDraft, since: int, until: int, check: Callable[[], None] = lambda: None
    ) -> Backtest:
        """What it would have said in a stretch of time, by what is stored. Raises InvalidFields, or as `check` does."""
        return self.backtests(workspace, [draft], since, until, check)[0]

    def backtests(
        self, workspace: int, drafts: Sequence[AlertDraft], since: int, until: int, check: Callable[[], None]
    ) -> list[Backtest]:
        """What each of them would have said; what is stored is read once. Raises InvalidFields, or as `check` does."""
        if not 0 < until - since <= LONGEST_BACKTEST_MS:
            raise InvalidFields(("period_to", "expected a later time than period_from, by 400 days at most"))
        alerts = [self._unsaved(workspace, draft, until) for draft in drafts]
        kinds = set().union(*map(kinds_read, alerts))
        stored = list(self._stores.observations.between(workspace, kinds, since - 2 * LONGEST_MS, until + LONGEST_MS))
        watched = self._watched(workspace, kinds)
        return [backtest(alert, stored, watched, (since, until), self.stale_ms, check) for alert in alerts]

    def firings_by_line(
        self, workspace: int, draft: AlertDraft, since: int, until: int, check: Callable[[], None] = lambda: None
    ) -> list[LineFirings]:
        """How often an alert of one rule would have fired with other values to compare with; none for other rules."""
        lines = lines_of(draft.rules)
        moved = [msgspec.structs.replace(draft, rules=(with_line(draft.rules[0], line),)) for line in lines]
        found = self.backtests(workspace, moved, since, until, check) if moved else []
        return [LineFirings(line, len(one.firings)) for line, one in zip(lines, found, strict=True)]

    def _unsaved(self, workspace: int, draft: AlertDraft, now: int) -> Alert:
        return drafted(draft, Alert(id="", workspace=workspace, name="", created_at=now, updated_at=now, rules=()))

    def _look_at_once(self, alert: Alert, now: int) -> None:
        """What matches already is notified at once. The alert is stored: a failure here does not refuse the request."""
        try:
            self._evaluate([alert], now)
        except Exception:
            log.exception("alert %s is kept, and was not evaluated yet", alert.id)

    def _evaluate(self, alerts: Sequence[Alert], now: int) -> Evaluated:
        active = [alert for alert in alerts if alert.is_active]
        if not active:
            return Evaluated(0, 0, {})
        workspace = active[0].workspace
        view = self._view(workspace, set().union(*map(_kinds, active)), now)
        round_ = _Round(view, self._stores.alerts.windows(workspace, now))
        states = self._stores.alert_log.states([alert.id for alert in active])
        results = [(alert, self._judged(alert, states.get(alert.id), round_)) for alert in active]
        failing = {alert.id: dict(found.failing) for alert, found in results if found.failing}
        if failing:
            self._on_failing(len(failing))
        return Evaluated(len(active), sum(bool(found.fired) for _, found in results), failing)

    def _judged(self, alert: Alert, state: AlertState | None, round_: _Round) -> Evaluation:
        """One alert's trouble, whatever it is, is shown on it and stops no other. Raises Transient."""
        before = state or AlertState(alert_id=alert.id)
        try:
            return self._settle(alert, before, round_)
        except Transient:
            raise  # a store that is away is away for all of them
        except Exception as error:  # noqa: BLE001 - as above
            return self._failed(alert, before, error, round_.view.now)

    def _failed(self, alert: Alert, before: AlertState, error: Exception, now: int) -> Evaluation:
        """Shown on the alert, with the id under which the log tells more. What is shown already is not said again."""
        reason = reason_of(error)
        if before.failing.startswith(reason):
            return Evaluation(before, ())
        reference = new_id()[:12]
        log.error("alert %s could not be evaluated: failure %s", alert.id, reference, exc_info=error)
        failing = f"{reason} (in the server's log as {reference})"
        found = msgspec.structs.replace(before, evaluated_at=now, failing=failing)
        try:
            self._stores.alert_log.save_evaluation(found, None, [])
        except Transient:
            raise
        except Exception:
            log.exception("that alert %s fails could not be kept", alert.id)
        return Evaluation(found, ())

    def _settle(self, alert: Alert, before: AlertState, round_: _Round) -> Evaluation:
        """Evaluate and save; again, when another evaluation of the alert was saved meanwhile."""
        found = evaluate(alert, round_.view, before, partial(_on_error, alert, before))
        for _ in range(_TRIES):
            if not found.fired and not _is_worth_keeping(alert, before, found.state):
                return found
            now = round_.view.now
            entry = entry_of(alert, found.fired, now, new_id()) if found.fired else None
            is_told = entry is not None and not _is_silent(alert, round_, now)
            notifications = self._notifications(alert, entry, now) if entry is not None and is_told else []
            if self._stores.alert_log.save_evaluation(found.state, entry, notifications):
                return found
            known = self._stores.alert_log.states([alert.id]).get(alert.id)
            before = known or AlertState(alert_id=alert.id)
            found = evaluate(alert, round_.view, before)
        log.warning("alert %s could not be kept: it was evaluated by others again and again, or it is gone", alert.id)
        return Evaluation(before, ())

    def _notifications(self, alert: Alert, entry: LogEntry, now: int, is_test: bool = False) -> list[Notification]:
        """The messages that an entry causes. Their body is the entry; each channel tells it in its own way."""
        channels = self._stores.channels.channels(alert.workspace)
        body = {**msgspec.to_builtins(entry), **({"test": True} if is_test else {})}
        return [
            Notification(
                id=ident, workspace=alert.workspace, channel=kind, target=target, subject=alert.name, body=body,
                created_at=now, next_at=now, alert_id=alert.id, entry_id=entry.id, at_once=is_test,
            )
            for ident, kind, target in told_places(alert, entry, channels, is_test)
        ]  # fmt: skip

    # -- what they look at -----------------------------------------------------------------------------------------

    def _view(self, workspace: int, kinds: Collection[ObservationKind], now: int) -> View:
        counted = [kind for kind in kinds if kind in COUNTED]
        states = [kind for kind in kinds if kind not in COUNTED]
        known: list[Observation] = self._stores.observations.latest(workspace, states) if states else []
        if counted:
            known = [*known, *self._stores.observations.between(workspace, counted, now - LONGEST_MS, now + LONGEST_MS)]
        return View(known, self._watched(workspace, kinds), now, self.stale_ms)

    def _watched(self, workspace: int, kinds: Collection[ObservationKind] = tuple(ObservationKind)) -> Watched:
        if not any(SOURCE_OF[kind] not in LOOKED_AT for kind in kinds):
            return Watched(ask=self._ask(workspace))
        assets = self._stores.assets.assets(workspace, tuple(AssetKind))
        return Watched(assets, self._high_reputation(), self._ask(workspace))

    def _ask(self, workspace: int) -> Ask:
        return nobody if self._stores.mail is None else partial(self._stores.mail.ask, workspace)

    def _check_references(self, workspace: int, draft: AlertDraft) -> None:
        wrong = []
        if draft.profile_id and draft.profile_id not in {each.id for each in self._stores.profiles.profiles(workspace)}:
            wrong.append(("profile_id", "there is no such profile"))
        known = (
            {each.id for each in self._stores.channels.slack_integrations(workspace)}
            if draft.slack_integration_id
            else ()
        )
        if draft.slack_integration_id and draft.slack_integration_id not in known:
            wrong.append(("slack_integration_id", "there is no such Slack integration"))
        channels = {each.id for each in self._stores.channels.channels(workspace)} if draft.channel_ids else set()
        wrong += [
            ("channel_ids", f"there is no channel {one[:50]}") for one in draft.channel_ids if one not in channels
        ]
        try:
            self._check_host(urlsplit(draft.webhook_url or "").hostname or "")
        except NotAllowed as error:
            wrong.append(("webhook_url", error.message))
        if wrong:
            raise InvalidFields(*wrong)


def _kinds(alert: Alert) -> set[ObservationKind]:
    """What its rules read, as far as they can be read."""
    return {kind for kind in _reads(alert) if kind is not None}


def _reads(alert: Alert) -> Iterator[ObservationKind | None]:
    """What each of its rules reads; None: such a rule cannot be read any more, and evaluating shows why."""
    for place, raw in enumerate(alert.rules):
        try:
            yield read_rule(raw, f"rules[{place}]").READS
        except Exception:  # noqa: BLE001 - one alert's trouble
            yield None


def _on_error(alert: Alert, before: AlertState, key: str, error: Exception) -> None:
    """Tell the log of a rule that failed, once for each trouble."""
    if isinstance(error, MailvaneError) or before.failures.get(key) == reason_of(error):
        return
    log.error("alert %s: rule %s could not be evaluated", alert.id, key, exc_info=error)


def _is_worth_keeping(alert: Alert, before: AlertState, after: AlertState) -> bool:
    """Of an alert that said nothing: whether a rule began or ceased to fail, or may join another that matches later.

    Most of thousands of alerts have nothing to say, and cost no transaction then.
    """
    if before.failures != after.failures:
        return True
    return len(alert.rules) > 1 and any(rule.matched_at == after.evaluated_at for rule in after.rules.values())


def _is_silent(alert: Alert, round_: _Round, now: int) -> bool:
    return alert.snoozed_until > now or any(window.profile_id in (None, alert.profile_id) for window in round_.windows)
