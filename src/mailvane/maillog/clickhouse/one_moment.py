"""Several statements, answered of one moment: nothing was written between the first and the last.

A batch goes into several tables, one after another, and each statement sees what is there when it begins. So statements
that belong together are asked while nothing is written: first in the hope that nothing is, which keeps no writer; and
when something was, once more with writers waiting. What another process writes to the same server is told by the block
numbers of its parts, which only inserts raise; whoever writes on and on there may at last be seen in part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from mailvane.maillog.clickhouse.engine import Engine, Statement
from mailvane.maillog.clickhouse.questions import Count
from mailvane.maillog.queries import Statistics, StatisticsQuestion

_ROUNDS = 5  # at most is asked anew because of what other processes write

T = TypeVar("T")
Rows = Callable[[Statement], list[tuple[object, ...]]]


class Writing:
    """Entered by whoever writes, one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._begun = self._ended = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._begun += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended += 1
        self._lock.release()

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
        if self._begun == ended:
            answer = ask()
            if self._begun == ended:
                return answer
        with self._lock:
            return ask()

    def _written_by_others(self) -> list[tuple[object, ...]]:
        # An embedded engine has no others; of a cluster, no one server knows what the others hold.
        if self._engine.embedded or self._engine.address.cluster is not None:
            return []
        return self._engine.rows(
            "SELECT table, partition_id, max(max_block_number) FROM system.parts WHERE active"
            " AND database = currentDatabase() AND table IN ('mails', 'deliveries')"
            " GROUP BY table, partition_id ORDER BY table, partition_id"
        )


def statistics(question: StatisticsQuestion, rows: Rows) -> Statistics:
    """Counts and ranked tables of a window."""
    count = Count(question)
    if not question.top:
        sent = int(str(rows(count.sent())[0][0])) if question.deliveries else 0
        return Statistics(int(str(rows(count.received())[0][0])), sent, {}, {}, {})
    received, _, (senders, origins) = _ranked(count, "mails", ("sender", "origin"), rows)
    _, sent, (recipients,) = _ranked(count, "deliveries", ("recipient",), rows)
    return Statistics(received, sent, senders, recipients, origins)


def _ranked(count: Count, table: str, columns: Sequence[str], rows: Rows) -> tuple[int, int, list[dict[str, int]]]:
    """How many rows there are, how many of them delivered, and each column's names that count most."""
    tables: list[dict[str, int]] = [{} for _ in columns]
    total = delivered = 0
    for *row, counted, made in rows(count.ranked(table, columns)):
        names, besides = row[: len(columns)], row[len(columns) :]
        if all(besides):
            total, delivered = int(str(counted)), int(str(made))
        for name, beside, ranked in zip(names, besides, tables, strict=True):
            if not beside:
                ranked[str(name)] = int(str(counted))
    return total, delivered, tables
