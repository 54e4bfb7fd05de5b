"""Several statements, answered of one moment: nothing was written between the first and the last.

A batch goes into several tables, one after another, and each statement sees what is there when it begins. So statements
that belong together are asked while nothing is written: first in the hope that nothing is, which keeps no writer; and
when something was, or is likely to be, with writers waiting. Any number may ask then; who comes when a writer waits
lets that one go first, and is next. What another process writes to the same server is told by the block numbers of its
parts, which only inserts raise; whoever writes on and on there may at last be seen in part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import TypeVar

from mailvane.maillog.clickhouse.engine import Engine, Statement
from mailvane.maillog.clickhouse.kept_answers import KeptAnswers
from mailvane.maillog.clickhouse.questions import Count
from mailvane.maillog.queries import Statistics, StatisticsQuestion

_QUIET_SECONDS = 1.0  # after a write: sooner, the next one is likely to come before all is asked
_ROUNDS = 5  # at most is asked anew because of what other processes write

T = TypeVar("T")
Rows = Callable[[Statement], list[tuple[object, ...]]]


class Writing:
    """Entered by whoever writes, one at a time, while nobody asks who keeps writers waiting."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = monotonic) -> None:
        """The clock tells seconds."""
        self._engine = engine
        self._clock = clock
        self._changed = threading.Condition()
        self._begun = self._ended = 0
        self._ended_at = float("-inf")
        self._asking = 0  # who keep writers waiting
        self._admitted = 0  # likewise, of those who waited for the last write and have not begun yet
        self._wait_to_ask = self._wait_to_write = 0

    def __enter__(self) -> None:
        with self._changed:
            self._wait_to_write += 1
            try:
                self._changed.wait_for(lambda: self._begun == self._ended and not self._asking and not self._admitted)
            finally:
                self._wait_to_write -= 1
            self._begun += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._ended += 1
            self._ended_at = self._clock()
            self._admitted = self._wait_to_ask
            self._changed.notify_all()

    def none_during(self, ask: Callable[[], T]) -> T:
        """What this answers, asked while nothing is written. It may be called several times."""
        for _ in range(_ROUNDS):
            others = self._written_by_others()
            answer = self._none_of_ours_during(ask)
            if others == self._written_by_others():
                break
        return answer

    def _none_of_ours_during(self, ask: Callable[[], T]) -> T:
        ended = self._ended
        if self._begun == ended and self._clock() - self._ended_at > _QUIET_SECONDS:
            answer = ask()
            if self._begun == ended:
                return answer
        with self._writers_waiting():
            return ask()

    @contextmanager
    def _writers_waiting(self) -> Generator[None]:
        with self._changed:
            if self._begun != self._ended or self._wait_to_write:
                ended = self._ended
                self._wait_to_ask += 1
                self._changed.wait_for(lambda: self._ended != ended)
                self._wait_to_ask -= 1
                self._admitted -= 1
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    def _written_by_others(self) -> list[tuple[object, ...]]:
        # An embedded engine has no others; of a cluster, no one server knows what the others hold.
        if self._engine.embedded or self._engine.address.cluster is not None:
            return []
        return self._engine.rows(
            "SELECT table, partition_id, max(max_block_number) FROM system.parts WHERE active"
            " AND database = currentDatabase() AND table IN ('mails', 'deliveries')"
            " GROUP BY table, partition_id ORDER BY table, partition_id"
        )


def statistics_of(questions: Sequence[StatisticsQuestion], rows: Rows, kept: KeptAnswers) -> list[Statistics]:
    """Counts and ranked tables of windows, two of which are asked for at once."""
    with ThreadPoolExecutor(2, "statistics") as asking:
        return list(asking.map(lambda each: _statistics(each, rows, kept), questions))


def _statistics(question: StatisticsQuestion, rows: Rows, kept: KeptAnswers) -> Statistics:
    count = Count(question)
    if not question.top:
        if not question.deliveries:
            return Statistics(_received(question, rows, kept), 0, {}, {}, {})
        sent = int(str(rows(count.sent())[0][0]))
        return Statistics(int(str(rows(count.received())[0][0])), sent, {}, {}, {})
    # Side by side: of a short window, planning each takes as long as answering it.
    with ThreadPoolExecutor(1, "statistics") as asking:
        deliveries = asking.submit(rows, count.recipients())
        received = 0
        senders: dict[str, int] = {}
        origins: dict[str, int] = {}
        for sender, origin, any_sender, any_origin, counted in rows(count.senders_and_origins()):
            if not any_sender:
                senders[str(sender)] = int(str(counted))
            elif not any_origin:
                origins[str(origin)] = int(str(counted))
            else:
                received = int(str(counted))
        found = deliveries.result()
    recipients = {str(recipient): int(str(counted)) for recipient, counted, _ in found}
    sent = int(str(found[0][2])) if found else 0
    return Statistics(received, sent, senders, recipients, origins)


def _received(question: StatisticsQuestion, rows: Rows, kept: KeptAnswers) -> int:
    """Mails accepted. What is asked for again and again, such as a billing cycle, is counted anew of few weeks only."""
    weeks = kept.weeks_of_mails.now()
    known = kept.in_weeks.known(question, weeks)
    statement = Count(question).received_by_week([week.partition for week in known])
    counted = {str(partition): int(str(count)) for partition, count in rows(statement)}
    unknown = [week for week in weeks if week not in known]
    if kept.weeks_of_mails.still(unknown):
        there = (week.partition for week in unknown if week.partition in counted)
        kept.in_weeks.learn(question, unknown, [(partition, 0, counted[partition]) for partition in there])
    return sum(counted.values()) + sum(count for counts in known.values() for _, count in counts)
