"""A journal that lives in memory and loses nothing, and a log that writes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mailvane.maillog.model import MailEvent, SourceCursor
from mailvane.maillog.postfix.reading import LogReading, Origin, Step

NOVEMBER = 1_793_491_200_000  # 2026-11-01


class Ledger:
    """Keeps what a real journal keeps, in the same transactions."""

    def __init__(self) -> None:
        self.origin = Origin(workspace=1, relay=7)
        self.cursors: dict[str, SourceCursor] = {}
        self.state: dict[str, bytes] = {}
        self.events: list[MailEvent] = []
        self.tokens: list[str] = []

    def reading(self) -> LogReading:
        """A new process that knows only what was committed."""
        return LogReading(self.origin, list(self.cursors.values()), list(self.state.items()))

    def commit(self, step: Step) -> None:
        entry = step.entry
        assert entry.cursor is not None
        self.cursors[entry.cursor.file] = entry.cursor
        self.state.update(entry.opened)
        for key in entry.closed:
            del self.state[key]
        self.events += entry.batch.events
        self.tokens.append(entry.batch.token)

    def take(self, steps: Iterator[Step]) -> int:
        """Commit every step; the number of events that came."""
        before = len(self.events)
        for step in steps:
            self.commit(step)
        return len(self.events) - before

    def import_files(self, *names: str, now: int = NOVEMBER) -> int:
        return self.take(self.reading().read_all(names, now))

    def told(self) -> list[tuple[str, str, str]]:
        """What happened to whom, without the evidence, which may stand in differently named files."""
        return [(event.type, event.mail_id, event.recipient) for event in self.events]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def log_of() -> Callable[[int, int], bytes]:
    return written


def written(first: int, last: int) -> bytes:
    """A log with one mail each minute of a day, from one number to another, three events in six lines each."""
    return "".join(_mail(number) for number in range(first, last)).encode()


def _mail(number: int) -> str:
    clock = f"Oct 10 {number // 60:02d}:{number % 60:02d}"
    queue_id = f"{number * 1000:05X}A{number:05X}"
    later = "dsn=4.3.0, status=deferred (host mx.example.net[203.0.113.1] said: 451 4.3.0 later)"
    attempt = "relay=mx.example.net[203.0.113.1]:25, delay=1, delays=0/0/0/1"
    return (
        f"{clock}:01 mx1 postfix/smtpd[10]: {queue_id}: client=a.example.com[198.51.100.9]\n"
        f"{clock}:01 mx1 postfix/cleanup[11]: {queue_id}: message-id=<{number}@example.com>\n"
        f"{clock}:01 mx1 postfix/qmgr[12]: {queue_id}: from=<a@example.com>, size=9, nrcpt=1 (queue active)\n"
        f"{clock}:02 mx1 postfix/smtp[13]: {queue_id}: to=<r@example.net>, {attempt}, {later}\n"
        f"{clock}:40 mx1 postfix/smtp[13]: {queue_id}: to=<r@example.net>, {attempt}, dsn=2.0.0, status=sent (250 ok)\n"
        f"{clock}:40 mx1 postfix/qmgr[12]: {queue_id}: removed\n"
    )
