"""A mail log in memory that keeps its promises: a token counts once, and it can go away and come back."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Lock

from mailvane.core.errors import StoreUnavailable
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKey
from mailvane.maillog.queries import (
    Delivery,
    EngagementCounts,
    EngagementQuestion,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    QueueIdQuestion,
    ReceivedQuestion,
    RefusedPage,
    RefusedQuestion,
    Statistics,
    StatisticsQuestion,
    Tally,
    TallyQuestion,
    TimeTally,
    TimeTallyQuestion,
)


class MemoryMailLog:
    """Counts what it was given; `down` makes it unavailable, `refuses` names tokens that it cannot take."""

    def __init__(self) -> None:
        self.batches: dict[str, EventBatch] = {}
        self.offered: list[str] = []
        self.asked: list[StatisticsQuestion] = []
        self.searched: list[LogQuestion] = []
        self.down = False
        self.refuses: set[str] = set()
        self.cared: list[tuple[str, int]] = []
        self.stored = Event()
        self._lock = Lock()

    @property
    def events(self) -> list[MailEvent]:
        return [event for batch in self.batches.values() for event in batch.events]

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        with self._lock:
            self.offered.append(batch.token)
            if self.down:
                raise StoreUnavailable("the mail log is away")
            if batch.token in self.refuses:
                raise ValueError("cannot take this")
            self.batches.setdefault(batch.token, batch)
            self.stored.set()

    def search(self, question: LogQuestion) -> LogPage:
        self.searched.append(question)
        return LogPage(len(self.events), list[Delivery]())

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        self.asked.append(question)
        since = question.since if question.since is not None else 0
        until = question.until if question.until is not None else 2**62
        found = [
            event
            for batch in self.batches.values()
            if batch.workspace == question.workspace
            for event in batch.events
            if event.relay in question.relays and since <= event.accepted_at <= until
        ]
        accepted = [event for event in found if event.type is EventType.ACCEPTED]
        senders: dict[str, int] = {}
        for event in accepted:
            senders[event.sender] = senders.get(event.sender, 0) + 1
        ranked = dict(sorted(senders.items(), key=lambda item: (-item[1], item[0]))[: question.top])
        sent = sum(event.type is EventType.DELIVERED for event in found)
        return Statistics(len(accepted), sent, ranked, {}, {})

    def tally(self, question: TallyQuestion) -> list[Tally]:
        raise NotImplementedError

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        raise NotImplementedError

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        raise NotImplementedError

    def engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        raise NotImplementedError

    def received(self, question: ReceivedQuestion) -> dict[str, int]:
        raise NotImplementedError

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        raise NotImplementedError

    def with_queue_id(self, question: QueueIdQuestion) -> list[MailKey]:
        raise NotImplementedError

    def mail_events(self, workspace: int, mail: MailKey) -> list[MailEvent]:
        raise NotImplementedError

    def retain(self, workspace: int, days: int) -> None:
        raise NotImplementedError

    def rebuild(self) -> None:
        self._note("rebuild")

    def backup(self, target: Path) -> None:
        self._note("backup", target)

    def restore(self, source: Path) -> None:
        self._note("restore", source)

    def accept_losses(self) -> None:
        self._note("accept")

    def _note(self, task: str, target: Path | None = None) -> None:
        """Notes what was asked, and how many batches were there then."""
        self.cared.append((task, len(self.batches)))
        if target is not None:
            target.mkdir(exist_ok=True)

    def verify(self) -> list[str]:
        return []

    def health(self, measured: bool = True) -> MailLogHealth:
        return MailLogHealth("memory", len(self.events), 0, 0)
