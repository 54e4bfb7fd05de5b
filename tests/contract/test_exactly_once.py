"""Both stores together: whenever the process is killed, every event is in the mail log once in the end."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import SourceMoved
from mailvane.maillog.clickhouse import open_maillog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, SourceCursor
from mailvane.maillog.queries import StatisticsQuestion
from mailvane.maillog.recording import Recorder, Shipper
from mailvane.server.ledger import open_ledger
from tests.depth import rounds
from tests.processes import FORKING
from tests.waiting import PATIENCE, wait_for

NOW = 1_790_000_000_000
EVENTS = rounds(1000, deep=3000)
STEP = 2
KILLS = 3
BEGINNING = SourceCursor(stream="postfix:1", file="f", name="mail.log", offset=0, line=0, tail=b"", reference=NOW)


def step(cursor: SourceCursor) -> JournalEntry:
    """The next lines of a log of which each line is one mail, seen by its line number."""
    numbers = range(cursor.offset, cursor.offset + STEP)
    events = [
        MailEvent(relay=1, accepted_at=NOW + number, number=number, type=EventType.ACCEPTED, at=NOW, sender="a@b.c")
        for number in numbers
    ]
    return JournalEntry(
        batch=EventBatch(f"f/{cursor.offset}", 1, 0, events),
        cursor=msgspec.structs.replace(cursor, offset=cursor.offset + STEP),
        follows=cursor.offset,
        opened=((str(cursor.offset), b"open"),),
        closed=(str(cursor.offset - STEP),),
    )


def read_log(ledger_url: str, maillog_url: str, under_way: Event | None = None) -> tuple[int, int, int, list[str]]:
    """Read on from wherever an earlier process came; what is there in the end."""
    ledger = open_ledger(ledger_url)
    with open_maillog(maillog_url) as maillog:
        recorder = Recorder(ledger.journal, maillog)
        shipper = Shipper(recorder)
        shipper.start()
        cursor = next(iter(ledger.journal.cursors("postfix:1")), BEGINNING)
        while cursor.offset < EVENTS:
            entry = step(cursor)
            assert entry.cursor is not None
            recorder.record(entry, NOW)
            cursor = entry.cursor
            if under_way is not None:
                under_way.set()
            wait_for(lambda: recorder.backlog() < 40)
        if under_way is not None:
            under_way.set()
        shipper.stop()
        recorder.drain()
        found = maillog.statistics(StatisticsQuestion(workspace=1, relays=(1,)))
        states = [key for key, _ in ledger.journal.in_flight("postfix:1")]
        answer = found.received, maillog.health().events, ledger.journal.backlog(), states
    ledger.close()
    return answer


def test_whenever_it_is_killed_every_event_counts_once(ledger_url: str, tmp_path: Path) -> None:
    maillog_url = f"chdb://{tmp_path / 'maillog'}"
    dice = random.Random(ledger_url.partition(":")[0])
    for _ in range(KILLS):
        under_way = FORKING.Event()
        process = FORKING.Process(target=read_log, args=(ledger_url, maillog_url, under_way))
        process.start()
        assert under_way.wait(PATIENCE)
        process.join(dice.uniform(0.0, 0.8))
        process.kill()
        process.join()
    with ProcessPoolExecutor(1, mp_context=FORKING) as last:
        received, events, backlog, states = last.submit(read_log, ledger_url, maillog_url).result()
    assert (received, events, backlog) == (EVENTS, EVENTS, 0)
    assert states == [str(EVENTS - STEP)]


def test_bytes_that_are_being_stored_are_cut_by_nobody_otherwise(ledger_url: str) -> None:
    with closing(open_ledger(ledger_url)) as ledger:
        journal, entry = ledger.journal, step(BEGINNING)
        assert entry.cursor is not None
        longer = msgspec.structs.replace(entry, cursor=msgspec.structs.replace(entry.cursor, offset=9))
        assert not journal.begin(entry)
        assert [(block.start, block.end) for block in journal.blocks("postfix:1")] == [(0, STEP)]
        for other in (journal.begin, lambda each: journal.commit(each, NOW)):
            with pytest.raises(SourceMoved):
                other(longer)
        # The same bytes may be begun again, and pass through the journal: there, as what was perhaps stored already.
        assert journal.begin(entry)
        journal.commit(entry, NOW)
        (pending,) = journal.claim(100, {})
        assert (pending.members, journal.blocks("postfix:1")) == ((), [])
        with pytest.raises(SourceMoved):
            journal.begin(entry)
        journal.settle([pending.sequence])
