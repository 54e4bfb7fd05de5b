"""One truth: mails that the engine tells and mails that the state machine tells are told alike, whatever the log."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailvane.maillog.clickhouse import ClickHouseMailLog, ScratchSession, open_maillog
from mailvane.maillog.model import ColumnBatch, EventBatch, EventType, HeldBatch, MailEvent, SourceCursor
from mailvane.maillog.postfix import reading
from mailvane.maillog.postfix.plain.path import PlainPath
from mailvane.maillog.postfix.reading import LogReading, Origin, Step
from mailvane.maillog.reasons import load_reasons
from tests.contract.bounced_logs import bounced_lines
from tests.contract.damaged_logs import DAY, START, befallen, demo_lines, internet_stamps, log_of, records
from tests.contract.filtered_logs import FilteredLog
from tests.contract.maillogs import embedded
from tests.depth import rounds

NOW = START + 30 * DAY
_EVENTS = msgspec.json.Decoder(MailEvent)


class Told:
    """What a reading came to, as a ledger keeps it."""

    def __init__(self) -> None:
        self.cursors: dict[str, SourceCursor] = {}
        self.state: dict[str, bytes] = {}
        self.events: list[str] = []
        self.counts: Counter[str] = Counter()
        self.in_columns = 0

    def reading(self) -> LogReading:
        return LogReading(Origin(workspace=1, relay=7), list(self.cursors.values()), list(self.state.items()))

    def take(self, step: Step, session: ScratchSession) -> None:
        entry = step.entry
        assert entry.cursor is not None
        self.cursors[entry.cursor.file] = entry.cursor
        self.state.update(entry.opened)
        for key in entry.closed:
            del self.state[key]
        events = events_of(entry.batch, session)
        self.events += map(repr, events)
        self.counts.update({f"{kind}": count for kind, count in step.summary.events.items() if count})
        self.counts.update({f"missed {kind}": count for kind, count in step.summary.not_understood.items()})
        self.counts["lines"] += step.lines
        if isinstance(entry.batch, ColumnBatch):
            self.in_columns += 1
            given = Counter(map(heard, entry.batch.events))
            unsaid = [event for event in events if is_noted(event) and not given.pop(heard(event), 0)]
            assert not given
            # Who heard that an answer was accepted need not hear that it was delivered, too.
            accepted = {key_of(event) for event in entry.batch.events if event.type is EventType.ACCEPTED}
            assert all(event.type is EventType.DELIVERED and key_of(event) in accepted for event in unsaid)
            assert entry.batch.rows == len(events)


def heard(event: MailEvent) -> str:
    """What others than the mail log hear: all but the lines behind it."""
    return repr(msgspec.structs.replace(event, raw=""))


def is_noted(event: MailEvent) -> bool:
    """Whether others than the mail log hear of it: an answer, or a hard bounce."""
    if event.type is EventType.BOUNCED:
        return event.hard
    return event.type in (EventType.ACCEPTED, EventType.DELIVERED) and bool(event.in_reply_to or event.references)


def key_of(event: MailEvent) -> tuple[int, int]:
    return event.accepted_at, event.number


def events_of(batch: EventBatch, session: ScratchSession) -> list[MailEvent]:
    if not isinstance(batch, ColumnBatch):
        return batch.events
    columns = batch.held.columns() if isinstance(batch, HeldBatch) else batch.columns
    if isinstance(batch, HeldBatch):
        batch.held.release()
    with os.fdopen(os.memfd_create("columns"), "wb", 0) as memory:
        memory.write(columns)
        return _EVENTS.decode_lines(session.ask(f"SELECT * FROM file('/proc/self/fd/{memory.fileno()}', 'Native')"))


@pytest.fixture(scope="module")
def maillog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseMailLog]:
    with open_maillog(embedded(tmp_path_factory.mktemp("scratch") / "maillog")) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(maillog: ClickHouseMailLog) -> Iterator[PlainPath]:
    with PlainPath(maillog.scratch, load_reasons(), least=1, little=0, cutting=2) as path:
        yield path


@pytest.fixture(scope="module")
def session(maillog: ClickHouseMailLog) -> Iterator[ScratchSession]:
    made = maillog.scratch()
    yield made
    made.close()


def differences(log: Path, plain: PlainPath, session: ScratchSession, choose: random.Random) -> list[str]:
    """What only one of both ways tells, for a log and a way to cut it; the plain path goes on and off."""
    whole, cut = Told(), Told()
    for step in whole.reading().read_all([str(log)], NOW):
        whole.take(step, session)
    done = False
    restart = choose.choice((0.0, 0.3))
    while not done:
        made = cut.reading()
        made.plain = plain if choose.random() < 0.8 else None
        done = True
        try:
            for step in made.read_all([str(log)], NOW):
                cut.take(step, session)
                if choose.random() < restart:
                    done = False
                    break
        finally:
            plain.restart()  # after a failure, too: who shrinks its example would wait for a block for ever
    found = [f"machine: {each}" for each in (Counter(whole.events) - Counter(cut.events))]
    found += [f"plain: {each}" for each in (Counter(cut.events) - Counter(whole.events))]
    if whole.counts != cut.counts:
        found.append(f"counts: {whole.counts} {cut.counts}")
    return found


@settings(
    max_examples=rounds(12, deep=1500),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 1 << 30))
def test_both_ways_tell_the_same(
    seed: int, plain: PlainPath, session: ScratchSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(seed)
    lines = befallen(choose, log_of(choose))
    wrapping = choose.random()
    if wrapping < 0.5:
        lines = (internet_stamps if wrapping < 0.25 else records)(lines, choose)
    end = choose.choice(("\n", "\n", "\r\n"))
    log = tmp_path / f"{seed}.log"
    log.write_bytes("".join(f"{line}{end}" for line in lines).encode("utf-8", "surrogatepass"))
    size = log.stat().st_size
    monkeypatch.setattr(reading, "BLOCK", choose.choice((size + 1, size // 2, size // 3, size // 5)) or 1)
    monkeypatch.setattr("mailvane.maillog.postfix.files.PIECE", choose.choice((1 << 18, 4096)))
    assert not differences(log, plain, session, choose)
    log.unlink()


def as_logged(lines: Iterable[tuple[int, str]]) -> str:
    """Texts with the seconds after 04:00 at which they were written."""
    return "".join(f"Oct  3 04:{at // 60:02}:{at % 60:02} mx1 postfix/{text}\n" for at, text in lines)


_SPLIT = (
    (0, "smtpd[5]: 4A0000A001: client=out.example[198.51.100.9]"),
    (0, "cleanup[7]: 4A0000A001: message-id=<1@example>"),
    (0, "qmgr[4]: 4A0000A001: from=<s@example>, size=20, nrcpt=2 (queue active)"),
    *(
        (0, text.replace("{id}", queue_id))
        for queue_id in ("4B0000A002", "4C0000A003")
        for text in (
            "smtpd[6]: {id}: client=localhost[127.0.0.1]",
            "cleanup[7]: {id}: message-id=<1@example>",
            "qmgr[4]: {id}: from=<s@example>, size=22, nrcpt=1 (queue active)",
        )
    ),
    *(
        (
            1,
            (
                f"smtp[8]: 4A0000A001: to=<{name}@example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1,"
                f" dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {queue_id})"
            ),
        )
        for name, queue_id in (("a", "4B0000A002"), ("b", "4C0000A003"))
    ),
    (1, "qmgr[4]: 4A0000A001: removed"),
    *(
        (at, f"{writer}: {queue_id}: {text}")
        for at, name, queue_id in ((2, "a", "4B0000A002"), (3, "b", "4C0000A003"))
        for writer, text in (
            (
                "smtp[9]",
                (
                    f"to=<{name}@example>, relay=mx.example[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0,"
                    " status=sent (250 2.0.0 Ok)"
                ),
            ),
            ("qmgr[4]", "removed"),
        )
    ),
    (300, "qmgr[4]: 4D0000A004: removed"),
)


# By the clock it is long over when the removal comes: what is said next, of the same second, is still of its mail.
_LATE = (
    (8, "smtpd[5]: 4A0000A001: client=out.example[198.51.100.9]"),
    (33, "smtpd[6]: 4B0000A002: client=out.example[198.51.100.9]"),
    (9, "qmgr[4]: 4A0000A001: removed"),
    (
        9,
        (
            "smtp[8]: 4A0000A001: to=<a@example>, relay=mx.example[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0,"
            " status=sent (250 2.0.0 Ok)"
        ),
    ),
)


@pytest.mark.parametrize("lines", [_SPLIT, _LATE], ids=["a filter gives one back in two", "late behind a removal"])
def test_of_few_lines_both_ways_tell_the_same(
    lines: tuple[tuple[int, str], ...],
    plain: PlainPath,
    session: ScratchSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "mail.log"
    log.write_text(as_logged(lines))
    monkeypatch.setattr(reading, "BLOCK", log.stat().st_size + 1)
    found = [differences(log, plain, session, random.Random(seed)) for seed in range(4)]  # the plain path is on in some
    assert found == [[]] * 4


class Counting(PlainPath):
    """Counts what it leaves for the state machine."""

    left = lines = 0

    def note(self, left: int, lines: int) -> None:
        self.left += left
        self.lines += lines


def usual(_choose: random.Random) -> list[str]:
    return list(demo_lines(1, 2))


def of_filters(choose: random.Random) -> list[str]:
    return FilteredLog(choose, often=0).lines(400)


def of_bounces(choose: random.Random) -> list[str]:
    return bounced_lines(choose, START, odd=0)


def in_records(choose: random.Random) -> list[str]:
    return records(list(demo_lines(1, 2)), choose, odd=0)


@pytest.mark.parametrize(
    ("made", "seed", "most"),
    [(usual, 1, 0.1), (of_filters, 1, 0.1), (of_bounces, 1, 0.2), (in_records, 1, 0.2), (in_records, 2, 0.2)],
)
def test_most_of_it_is_plain(
    made: Callable[[random.Random], list[str]],
    seed: int,
    most: float,
    maillog: ClickHouseMailLog,
    session: ScratchSession,
    tmp_path: Path,
) -> None:
    log = tmp_path / "mail.log"
    log.write_text("\n".join(made(random.Random(seed))) + "\n")
    told = Told()
    read = told.reading()
    with Counting(maillog.scratch, load_reasons(), least=1) as path:
        read.plain = path
        for step in read.read_all([str(log)], NOW):
            told.take(step, session)
    assert told.in_columns == 1
    assert path.lines == told.counts["lines"]
    assert path.left < most * path.lines
