"""Events are durable in the journal before they are anywhere else, and reach the mail log exactly once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.maillog import recording
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.maillog.recording import Recorder, Shipper, Waiting
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.unit.maillog.watched_maillog import WatchedMailLog
from tests.waiting import wait_for

NOW = 1_790_000_000_000
PATIENCE = 20.0


def entry(number: int, events: int = 1, workspace: int = 1) -> JournalEntry:
    made = [
        MailEvent(relay=1, accepted_at=NOW, number=number * 1000 + each, type=EventType.ACCEPTED, at=NOW)
        for each in range(events)
    ]
    return JournalEntry(batch=EventBatch(f"t{number}", workspace, 0, made))


def numbers(maillog: WatchedMailLog) -> list[int]:
    return sorted(event.number // 1000 for event in maillog.events)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def maillog() -> WatchedMailLog:
    return WatchedMailLog()


@pytest.fixture
def recorder(ledger: Ledger, maillog: WatchedMailLog) -> Recorder:
    return Recorder(ledger.journal, maillog)


def test_what_is_recorded_is_in_the_journal_and_not_yet_in_the_mail_log(
    recorder: Recorder, ledger: Ledger, maillog: WatchedMailLog
) -> None:
    pending = recorder.record(entry(1), NOW)
    assert ledger.journal.pending(10) == [pending]
    assert maillog.offered == []


def test_carrying_moves_batches_and_settles_them(recorder: Recorder, maillog: WatchedMailLog) -> None:
    for number in range(5):
        recorder.record(entry(number, workspace=number), NOW)
    assert recorder.ship(2) == 2
    assert recorder.backlog() == 3
    recorder.drain()
    assert recorder.backlog() == 0
    assert recorder.ship() == 0
    assert maillog.offered == [f"t{number}" for number in range(5)]


def test_small_batches_of_one_workspace_are_carried_together(recorder: Recorder, maillog: WatchedMailLog) -> None:
    for number in range(100):
        recorder.record(entry(number, workspace=number % 2), NOW)
    assert recorder.ship() == 2
    assert recorder.backlog() == 0
    assert [len(batch.events) for batch in maillog.batches.values()] == [50, 50]
    assert {batch.workspace for batch in maillog.batches.values()} == {0, 1}
    assert numbers(maillog) == list(range(100))


def test_an_entry_without_events_leaves_nothing_to_carry(recorder: Recorder) -> None:
    assert recorder.record(entry(1, events=0), NOW) is None
    assert recorder.ship() == 0


def test_what_an_earlier_process_left_behind_is_carried(ledger: Ledger, maillog: WatchedMailLog) -> None:
    Recorder(ledger.journal, WatchedMailLog()).record(entry(1), NOW)
    after = Recorder(ledger.journal, maillog)
    after.record(entry(2), NOW)
    after.drain()
    assert numbers(maillog) == [1, 2]


def test_a_batch_fresh_from_this_process_is_not_read_back(
    ledger: Ledger, maillog: WatchedMailLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(ledger.journal, maillog)
    recorder.drain()
    monkeypatch.setattr("mailvane.maillog.store.journal.unpack", lambda payload: pytest.fail("read back"))
    recorder.record(entry(1), NOW)
    recorder.record(entry(2), NOW)
    assert recorder.ship() == 1
    assert numbers(maillog) == [1, 2]


def test_what_another_shipper_took_is_not_remembered(ledger: Ledger, recorder: Recorder) -> None:
    recorder.drain()
    recorder.record(entry(1), NOW)
    Recorder(ledger.journal, WatchedMailLog()).drain()
    assert recorder.wait_for_work(0)
    assert recorder.ship() == 0
    assert not recorder.wait_for_work(0)


def test_steady_work_does_not_keep_a_recorder_from_what_a_dead_node_left(
    ledger: Ledger, recorder: Recorder, maillog: WatchedMailLog
) -> None:
    recorder.drain()
    Recorder(ledger.journal, WatchedMailLog()).record(entry(0), NOW)
    ledger.journal.claim(1, {})
    rounds = 0
    while 0 not in numbers(maillog):
        rounds += 1
        recorder.record(entry(rounds), NOW)
        recorder.ship()
        assert rounds <= recording._ROUNDS_BEFORE_SWEEP
    assert rounds > 1


def test_more_than_fits_in_memory_is_read_back(ledger: Ledger, maillog: WatchedMailLog) -> None:
    recorder = Recorder(ledger.journal, maillog, held_events=5)
    recorder.drain()
    for number in range(6):
        recorder.record(entry(number, events=2), NOW)
    recorder.drain()
    assert numbers(maillog) == sorted([*range(6), *range(6)])
    assert recorder.backlog() == 0


def test_while_the_mail_log_is_away_nothing_is_lost_and_nothing_counts_twice(
    recorder: Recorder, maillog: WatchedMailLog
) -> None:
    recorder.record(entry(1), NOW)
    recorder.record(entry(2), NOW)
    maillog.down = True
    with pytest.raises(StoreUnavailable):
        recorder.ship()
    recorder.record(entry(3), NOW)
    assert recorder.backlog() == 2
    with pytest.raises(StoreUnavailable):
        recorder.ship()
    maillog.down = False
    recorder.drain()
    assert recorder.backlog() == 0
    assert numbers(maillog) == [1, 2, 3]


def test_a_bundle_that_was_offered_is_offered_again_as_it_was(
    ledger: Ledger, recorder: Recorder, maillog: WatchedMailLog
) -> None:
    recorder.record(entry(1), NOW)
    recorder.record(entry(2), NOW)
    maillog.down = True
    with pytest.raises(StoreUnavailable):
        recorder.ship()
    recorder.record(entry(3), NOW)
    maillog.down = False
    Recorder(ledger.journal, maillog).drain()
    recorder.drain()
    assert maillog.offered[1] == maillog.offered[0]
    assert numbers(maillog) == [1, 2, 3]


def test_what_an_earlier_process_left_is_tried_again_when_the_mail_log_comes_back(
    ledger: Ledger, recorder: Recorder, maillog: WatchedMailLog
) -> None:
    Recorder(ledger.journal, WatchedMailLog()).record(entry(1), NOW)
    maillog.down = True
    with pytest.raises(StoreUnavailable):
        recorder.ship()
    maillog.down = False
    assert recorder.ship() == 1


def test_a_batch_stored_before_a_crash_is_offered_again_and_counts_once(
    ledger: Ledger, maillog: WatchedMailLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Sequence[int]) -> None:
        raise StoreUnavailable

    dying = Recorder(ledger.journal, maillog)
    dying.record(entry(1), NOW)
    with monkeypatch.context() as patch:
        patch.setattr(ledger.journal, "settle", crash)
        with pytest.raises(StoreUnavailable):
            dying.ship()
    Recorder(ledger.journal, maillog).drain()
    assert maillog.offered == ["t1", "t1"]
    assert len(maillog.events) == 1
    assert ledger.journal.backlog() == 0


def test_two_shippers_of_one_journal_count_everything_once(ledger: Ledger, maillog: WatchedMailLog) -> None:
    one, two = Recorder(ledger.journal, maillog), Recorder(ledger.journal, maillog)
    for number in range(20):
        (one if number % 2 else two).record(entry(number), NOW)
    threads = [Thread(target=each.drain) for each in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.journal.backlog() == 0
    assert len(maillog.events) == 20


def test_a_batch_that_the_mail_log_refuses_does_not_hold_up_the_others(
    recorder: Recorder, maillog: WatchedMailLog, caplog: pytest.LogCaptureFixture
) -> None:
    maillog.refuses = {f"t{number}" for number in range(20)}
    for number in range(40):
        recorder.record(entry(number, workspace=number), NOW)
    with caplog.at_level(logging.CRITICAL):
        recorder.drain()
    assert len(maillog.batches) == 20
    assert recorder.backlog() == recorder.refused() == 20
    assert recorder.ship() == 0
    maillog.refuses = set()
    recorder.reconsider()
    recorder.drain()
    assert recorder.backlog() == recorder.refused() == 0


def test_refused_batches_of_an_earlier_process_do_not_hide_those_behind_them(
    ledger: Ledger, recorder: Recorder, maillog: WatchedMailLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    earlier = Recorder(ledger.journal, WatchedMailLog())
    for number in range(50):
        earlier.record(entry(number, workspace=number), NOW)
    maillog.refuses = {f"t{number}" for number in range(40)}
    ledger.journal.claim(100, {})
    while recorder.ship(5) or recorder.wait_for_work(0):
        pass
    assert len(maillog.batches) == 10
    assert recorder.backlog() == recorder.refused() == 40


def test_a_refused_batch_is_tried_again_also_while_others_keep_coming(
    ledger: Ledger, maillog: WatchedMailLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(recording, "_FIRST_RETRY_SECONDS", 0.0)

    class Busy(Recorder):
        def wait_for_work(self, patience: float) -> bool:
            return not Event().wait(0.001)

    busy = Busy(ledger.journal, maillog)
    maillog.refuses = {"t1"}
    busy.record(entry(1), NOW)
    busy.ship()
    assert busy.waiting(NOW + 5000) == Waiting(batches=1, oldest_ms=5000, refused=1)
    maillog.refuses = set()
    shipper = Shipper(busy)
    shipper.start()
    until = monotonic() + PATIENCE
    while "t1" not in maillog.batches and monotonic() < until:
        Event().wait(0.01)
    shipper.stop()
    assert "t1" in maillog.batches
    assert busy.waiting(NOW) == Waiting(batches=0, oldest_ms=0, refused=0)


def test_nothing_is_carried_while_paused(recorder: Recorder, maillog: WatchedMailLog) -> None:
    recorder.record(entry(1), NOW)
    with recorder.paused():
        thread = Thread(target=recorder.ship)
        thread.start()
        recorder.record(entry(2), NOW)
        assert maillog.offered == []
    thread.join()
    recorder.drain()
    assert recorder.backlog() == 0


def test_the_shipper_ships_what_is_recorded_and_ends_when_told(recorder: Recorder, maillog: WatchedMailLog) -> None:
    recorder.record(entry(1), NOW)
    shipper = Shipper(recorder)
    shipper.start()
    wait_for(lambda: not recorder.backlog())
    recorder.record(entry(2), NOW)
    wait_for(lambda: not recorder.backlog())
    shipper.stop()
    recorder.record(entry(3), NOW)
    assert recorder.backlog() == 1
    assert set(maillog.batches) == {"t1", "t2"}


def test_the_shipper_notices_what_another_process_left(
    ledger: Ledger, recorder: Recorder, maillog: WatchedMailLog
) -> None:
    recorder.drain()
    shipper = Shipper(recorder)
    shipper.start()
    Recorder(ledger.journal, WatchedMailLog()).record(entry(1), NOW)
    shipper.poke()
    wait_for(lambda: not recorder.backlog())
    shipper.stop()


def test_the_shipper_outlives_every_failure_and_says_what_troubles_it(
    recorder: Recorder, maillog: WatchedMailLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    troubles: list[str | None] = []

    class Troubled(Shipper):
        def _back_off(self, pause: float, error: Exception) -> float:
            super()._back_off(pause, error)
            troubles.append(self.trouble)
            maillog.down = len(troubles) < 2
            return 0.0

    maillog.down = True
    ship = recorder.ship

    def broken(limit: int = recording.SHIP_AT_ONCE) -> int:
        if len(troubles) == 1:
            raise RuntimeError("a mistake")
        return ship(limit)

    monkeypatch.setattr(recorder, "ship", broken)
    recorder.record(entry(1), NOW)
    shipper = Troubled(recorder)
    shipper.start()
    wait_for(lambda: not recorder.backlog())
    shipper.stop()
    assert troubles == ["the mail log is away", "a mistake"]
    assert shipper.trouble is None


def test_pauses_grow_and_end_growing(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    shipper = Shipper(recorder)
    pause = 0.0
    pauses = []
    for _ in range(200):
        pause = shipper._back_off(pause, StoreUnavailable())
        pauses.append(pause)
    assert 0 < pauses[0] <= recording._FIRST_PAUSE_SECONDS
    assert max(pauses) <= recording._LONGEST_PAUSE_SECONDS
    assert min(pauses[-5:]) >= pauses[0]
