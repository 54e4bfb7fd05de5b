"""What is old is cleared away, again and again, whatever happens to the ledger meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.reputation.model import ObservationKind
from mailvane.server.housekeeping import (
    EVENT_IDS_DAYS,
    HEALTH_DAYS,
    NOTIFICATIONS_DAYS,
    OBSERVATIONS_DAYS,
    Housekeeping,
    housekeeping_of,
)
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
DAY = 86_400_000
PATIENCE = 20.0


def tell(ledger: Ledger, event_id: str, at: int) -> bool:
    event = MailEvent(relay=1, accepted_at=NOW, number=1, type=EventType.ACCEPTED, at=NOW)
    return (
        ledger.journal.commit(JournalEntry(batch=EventBatch(event_id, 1, 0, [event]), event_ids=(event_id,)), at)
        is not None
    )


class Failing:
    """Fails in turn in every way, then works."""

    def __init__(self, failures: list[Exception]) -> None:
        self._failures = failures
        self.asked: list[int] = []
        self.worked = Event()

    def prune(self, before: int) -> int:
        self.asked.append(before)
        if self._failures:
            raise self._failures.pop()
        self.worked.set()
        return 0

    def forget_observations(self, kinds: Collection[ObservationKind], before: int) -> int:
        assert set(kinds) == set(ObservationKind)
        assert before == NOW - OBSERVATIONS_DAYS * DAY
        return 0

    def forget_readings(self, before: int) -> int:
        assert before == NOW - HEALTH_DAYS * DAY
        return 0

    def forget_notifications(self, before: int) -> int:
        assert before == NOW - NOTIFICATIONS_DAYS * DAY
        return 0


def test_an_event_id_is_known_for_35_days_and_then_forgotten(tmp_path: Path) -> None:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    tell(ledger, "old", NOW - EVENT_IDS_DAYS * DAY - 1)
    tell(ledger, "known", NOW - EVENT_IDS_DAYS * DAY)
    housekeeping_of(ledger, lambda: NOW).tidy()
    assert tell(ledger, "old", NOW)
    assert not tell(ledger, "known", NOW)
    ledger.close()


def test_a_ledger_that_fails_is_tidied_later(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Failing([StoreUnavailable("the ledger is away"), RuntimeError("a mistake")])
    observations = partial(ledger.forget_observations, tuple(ObservationKind))
    housekeeping = Housekeeping(
        ledger.prune, observations, ledger.forget_notifications, ledger.forget_readings, lambda: NOW
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            housekeeping.tidy()
    assert ledger.worked.is_set()
    assert set(ledger.asked) == {NOW - EVENT_IDS_DAYS * DAY}
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "the ledger is away" in caplog.text
