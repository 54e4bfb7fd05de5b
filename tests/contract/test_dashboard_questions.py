"""What the dashboard asks the ledger, on SQLite and on PostgreSQL: states and days of firings, messages of an entry."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.live.changes import Changes, topics_of
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.notify.model import Attempt, Channel, Notification, NotificationState, notification_id
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
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


def test_what_is_new_is_told_of_the_workspaces_that_are_asked_for(ledger: Ledger, one: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    fired(ledger, one, "a", NOW, NOW + 1)
    fired(ledger, other, "o", NOW)
    assert ledger.alert_log.newest_of_each([one], 0) == {one: (2, NOW + 1, 2)}
    ledger.alert_log.mark_entry(one, "a1", EntryState.RESOLVED, NOW, "ann")
    assert ledger.alert_log.newest_of_each([one, other], 0) == {one: (2, NOW + 1, 1), other: (1, NOW, 1)}
    assert ledger.alert_log.newest_of_each([one], NOW + 1) == {one: (1, NOW + 1, 0)}
    assert ledger.alert_log.newest_of_each([], 0) == {}


def test_the_head_of_the_journal_moves_with_each_batch_and_when_it_is_carried(ledger: Ledger, one: int) -> None:
    def batch(token: str) -> JournalEntry:
        event = MailEvent(relay=1, accepted_at=NOW, number=1, type=EventType.ACCEPTED, at=NOW)
        return JournalEntry(batch=EventBatch(token, one, 0, [event]))

    before = ledger.journal.head()
    first = ledger.journal.commit(batch("a"), NOW)
    assert first is not None
    heads = [before, ledger.journal.head()]
    ledger.journal.settle([first.sequence])
    heads.append(ledger.journal.head())
    second = ledger.journal.commit(batch("b"), NOW)
    assert second is not None
    ledger.journal.settle([second.sequence])
    heads.append(ledger.journal.head())
    assert len(set(heads)) == len(heads), "also where a batch came and went between two looks"


def test_versions_change_with_what_pages_show_and_with_nothing_else(ledger: Ledger, one: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    stored: Counter[int] = Counter()
    changes = Changes(stored, ledger.alert_log, ledger.domains, ledger.journal)

    def topics(known: str) -> list[str]:
        return list(topics_of(known, changes.drawn(one, NOW)))

    known = changes.drawn(one, NOW)
    assert topics(known) == []
    stored[one] += 1
    stored[other] += 1
    assert topics(known) == ["log"]
    known = changes.drawn(one, NOW)
    fired(ledger, other, "o", NOW)
    assert topics(known) == []
    fired(ledger, one, "a", NOW)
    assert topics(known) == ["alerts"]
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    governance.create("shop.example", one, NOW)
    assert topics(known) == ["alerts", "domains"]
    assert topics("") == topics("0a0b0c0d.1.1.1") == ["log", "alerts", "domains"]
