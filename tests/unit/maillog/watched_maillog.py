"""The mail log in memory, watched: what was offered and asked is kept, and it can go away or refuse a batch."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from mailvane.core.errors import StoreUnavailable
from mailvane.maillog.model import EventBatch, MailEvent
from mailvane.maillog.queries import LogPage, LogQuestion, Statistics, StatisticsQuestion
from tests.wire.memory_maillog import MemoryMailLog


class WatchedMailLog(MemoryMailLog):
    """`down` makes it unavailable, `refuses` names tokens that it cannot take."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: dict[str, EventBatch] = {}
        self.offered: list[str] = []
        self.asked: list[StatisticsQuestion] = []
        self.searched: list[LogQuestion] = []
        self.down = False
        self.refuses: set[str] = set()
        self.cared: list[tuple[str, int]] = []  # which upkeep, and how many batches were there then
        self.stored = Event()

    @property
    def events(self) -> list[MailEvent]:
        return [event for batch in self.batches.values() for event in batch.events]

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        self.offered.append(batch.token)
        if self.down:
            raise StoreUnavailable("the mail log is away")
        if batch.token in self.refuses:
            raise ValueError("cannot take this")
        self.batches.setdefault(batch.token, batch)
        super().append(batch, doubtful)
        self.stored.set()

    def search(self, question: LogQuestion) -> LogPage:
        self.searched.append(question)
        return super().search(question)

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        self.asked.append(question)
        return super().statistics(question)

    def _note(self, task: str, target: Path | None = None) -> None:
        super()._note(task, target)
        self.cared.append((task, len(self.batches)))
        if target is not None:
            target.mkdir(exist_ok=True)
