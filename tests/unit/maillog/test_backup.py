"""A copy holds every batch once: in the journal's copy or in the mail log's, never in both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.maillog.backup import LockedMailLog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.maillog.recording import Recorder
from mailvane.server.ledger import Ledger, open_ledger
from tests.ledgers import fresh_ledger
from tests.unit.maillog.watched_maillog import WatchedMailLog

NOW = 1_790_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def maillog() -> WatchedMailLog:
    return WatchedMailLog()


def record(recorder: Recorder, token: str) -> None:
    event = MailEvent(relay=1, accepted_at=NOW, number=1, type=EventType.ACCEPTED, at=NOW)
    recorder.record(JournalEntry(batch=EventBatch(token, 1, 0, [event])), NOW)


def test_a_backup_first_carries_what_is_pending(tmp_path: Path, ledger: Ledger, maillog: WatchedMailLog) -> None:
    recorder = Recorder(ledger.journal, maillog)
    record(recorder, "t1")
    LockedMailLog(maillog, recorder, ledger.copies).backup(tmp_path / "copy")
    assert maillog.cared == [("backup", 1)]
    copy = open_ledger(f"sqlite:///{tmp_path / 'copy' / 'ledger.sqlite'}")
    assert copy.journal.backlog() == 0
    copy.close()


def test_a_backup_does_not_overwrite(tmp_path: Path, ledger: Ledger, maillog: WatchedMailLog) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "something").touch()
    with pytest.raises(InvalidInput, match="not empty"):
        LockedMailLog(maillog, Recorder(ledger.journal, maillog), ledger.copies).backup(tmp_path / "copy")
    assert maillog.cared == []


def test_a_restore_needs_a_backup_and_an_empty_mail_log(
    tmp_path: Path, ledger: Ledger, maillog: WatchedMailLog
) -> None:
    recorder = Recorder(ledger.journal, maillog)
    attended = LockedMailLog(maillog, recorder, ledger.copies)
    with pytest.raises(InvalidInput, match="no backup"):
        attended.restore(tmp_path / "copy")
    attended.backup(tmp_path / "copy")
    record(recorder, "t1")
    with pytest.raises(InvalidInput, match="not empty"):
        attended.restore(tmp_path / "copy")


def test_a_copy_needs_a_full_path(ledger: Ledger, maillog: WatchedMailLog) -> None:
    with pytest.raises(InvalidInput, match="directory"):
        LockedMailLog(maillog, Recorder(ledger.journal, maillog), ledger.copies).backup(Path("relative"))


def test_questions_go_straight_through(ledger: Ledger, maillog: WatchedMailLog) -> None:
    assert LockedMailLog(maillog, Recorder(ledger.journal, maillog), ledger.copies).health() == maillog.health()
