"""Which weeks of a table are one merged part each, and what was counted in such weeks. No filter is known here.

A merged part that is alone in its week has every row once: it may be read without joining, through indexes, and
what was counted in it stays right for as long as it is there. A part is never changed, only replaced by one of another
name; so an answer that named parts is right if they are all still there afterwards.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from mailvane.maillog.clickhouse.engine import Engine

_REMEMBERED = 20_000

Counts = tuple[tuple[int, int], ...]
"""Stretches of time with the number of rows in each."""


class Week(NamedTuple):
    """A partition that is one part: both their names, and what tells the part's content from any other."""

    part: str
    partition: str
    content: str


def may_settle(engine: Engine) -> bool:
    """Whether a question about parts and one about rows are answered by the same server, from the same parts."""
    # Replicated and shared tables have other engines: there, two questions may reach two servers.
    return engine.address.cluster is None and bool(
        engine.rows(
            "SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = 'deliveries'"
            " AND engine = 'AggregatingMergeTree'"
        )
    )


def settled_weeks(engine: Engine, table: str = "deliveries", least: int = 0) -> list[Week]:
    """The weeks of a table that are one merged part each on this server, of so many rows at least."""
    parts = engine.rows(
        "SELECT partition_id, name, if(rows < {least:UInt64}, 0, level), hash_of_all_files FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table = {table:String}",
        {"table": table, "least": least},
    )
    found: dict[str, list[tuple[object, ...]]] = {}
    for partition, *part in parts:
        found.setdefault(str(partition), []).append(tuple(part))
    return [
        Week(str(name), partition, str(content))
        for partition, ((name, level, content), *others) in found.items()
        if not others and int(str(level)) > 0
    ]


class Remembered:
    """Counts of settled weeks by question and content, those asked last. Any number of threads may use one."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Hashable, str], Counts] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, question: Hashable, weeks: Iterable[Week]) -> dict[Week, Counts]:
        """What is remembered of these weeks."""
        found = {}
        with self._lock:
            for week in weeks:
                counts = self._counts.get((question, week.content))
                if counts is not None:
                    self._counts.move_to_end((question, week.content))
                    found[week] = counts
        return found

    def learn(
        self, question: Hashable, weeks: Sequence[Week], rows: Iterable[tuple[str, int, int]]
    ) -> dict[Week, Counts]:
        """Remember rows of part, stretch and count; a week without any has none."""
        counted: dict[str, list[tuple[int, int]]] = {week.part: [] for week in weeks}
        for part, stretch, count in rows:
            counted[part].append((stretch, count))
        learnt = {week: tuple(counted[week.part]) for week in weeks}
        with self._lock:
            self._counts.update({(question, week.content): counts for week, counts in learnt.items()})
            while len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        return learnt
