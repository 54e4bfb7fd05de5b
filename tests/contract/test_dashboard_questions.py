"""What the dashboard asks the ledger, on SQLite and on PostgreSQL: states and days of firings, messages of an entry."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.core.moments import DAY_MS
from mailvane.notify.model import Attempt, Channel, Notification, NotificationState, notification_id
from mailvane.reputation.alerts.model import Alert, AlertState, EntryState, LogEntry
from mailvane.reputation.questions import EntryQuestion
from mailvane.server.ledger import Ledger

NOW = 20_000 * DAY_MS + 3_600_000


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


def fired(ledger: Ledger, workspace: int, alert: str, *moments: int) -> None:
    """An alert that fired then."""
    ledger.alerts.add_alert(Alert(id=alert, workspace=workspace, name=alert, created_at=1, updated_at=1, rules=()))
    for version, at in enumerate(moments):
        entry = LogEntry(
            id=f"{alert}{version}", workspace=workspace, alert_id=alert, profile_id=None, name=alert, at=at, rules=()
        )
        state = AlertState(alert_id=alert, version=version)
        assert ledger.alert_log.save_evaluation(state, entry, [])


def test_entries_are_counted_and_chosen_by_state(ledger: Ledger, one: int) -> None:
    fired(ledger, one, "a", NOW, NOW + 1, NOW + 2)
    fired(ledger, ledger.tenants.add_workspace("other", NOW).id, "o", NOW)
    assert ledger.alert_log.entry_states(one) == {EntryState.OPEN: 3}
    ledger.alert_log.mark_entry(one, "a1", EntryState.RESOLVED, NOW, "ann")
    assert ledger.alert_log.entry_states(one) == {EntryState.OPEN: 2, EntryState.RESOLVED: 1}
    page = ledger.alert_log.entries(EntryQuestion(workspace=one, state=EntryState.OPEN, limit=1))
    assert (page.total, [entry.id for entry in page.entries]) == (2, ["a2"])
    assert ledger.alert_log.entries(EntryQuestion(workspace=one, state=EntryState.ACKNOWLEDGED)).total == 0


def test_firings_are_counted_by_alert_and_day(ledger: Ledger, one: int) -> None:
    fired(ledger, one, "a", NOW, NOW + 1, NOW + DAY_MS)
    fired(ledger, one, "b", NOW - DAY_MS, NOW + DAY_MS)
    fired(ledger, ledger.tenants.add_workspace("other", NOW).id, "o", NOW)
    assert ledger.alert_log.firing_days_of_each(one, NOW) == {"a": {20_000: 2, 20_001: 1}, "b": {20_001: 1}}


def test_the_messages_of_an_entry_are_found_with_their_last_try(ledger: Ledger, one: int) -> None:
    def message(entry: str, channel: Channel, workspace: int) -> Notification:
        return Notification(
            id=notification_id(entry, channel), workspace=workspace, channel=channel, target="t", body={},
            created_at=NOW, entry_id=entry,
        )  # fmt: skip

    other = ledger.tenants.add_workspace("other", NOW).id
    hook, mail = message("e", Channel.WEBHOOK, one), message("e", Channel.EMAIL, one)
    ledger.outbox.post([hook, mail, message("f", Channel.SLACK, one), message("g", Channel.SLACK, other)])
    assert [each.channel for each in ledger.outbox.of_entry(one, "e")] == [Channel.EMAIL, Channel.WEBHOOK]
    assert ledger.outbox.of_entry(one, "g") == []
    assert ledger.outbox.of_entry(one, "\0") == []
    first = Attempt(at=NOW, took_ms=1, outcome="transient", detail="503")
    last = msgspec.structs.replace(first, at=NOW + 1, outcome="delivered")
    for attempt in (first, last):
        done = msgspec.structs.replace(hook, state=NotificationState.DELIVERED)
        ledger.outbox.settle_notification(done, attempt)
    assert ledger.outbox.last_attempts([hook.id, mail.id]) == {hook.id: last}
    assert ledger.outbox.last_attempts([]) == {}
