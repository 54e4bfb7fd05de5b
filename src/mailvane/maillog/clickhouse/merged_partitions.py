"""Which weeks of a table are one merged part each, and what was counted in such weeks. No filter is known here.

A merged part that is alone in its week has every row once: that week may be read without joining, through indexes, and
what was counted in it stays right for as long as the part is there. A part is never changed, only replaced by one of
another name; so an answer that read such weeks is right if they are all as they were afterwards.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Sequence
from contextlib import contextmanager
from datetime import date
from time import monotonic
from typing import NamedTuple

from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.model import ColumnBatch, EventBatch, EventType

_REMEMBERED = 20_000
_LOOK_EVERY = 30.0  # seconds: weeks that were merged meanwhile are joined while they are read until then

_WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000  # the first one, 1970-01-05
_MONDAY = date(1970, 1, 5).toordinal()
# What `schema` takes for the first and the last moment of a partition, in weeks since that Monday.
_FIRST, _LAST = (946_684_800_000 - _MONDAY_MS) // _WEEK_MS, (4_102_444_799_000 - _MONDAY_MS) // _WEEK_MS
_EVER = 2**62
# What the views on `events` take: only these touch the weeks of `deliveries` and `mails`.
_FEEDING = frozenset(EventType) - {
    EventType.REJECTED, EventType.REINJECTED, EventType.COMPLAINED, EventType.OPENED, EventType.CLICKED,
    EventType.REPLIED, EventType.UNSUBSCRIBED, EventType.TAGGED,
}  # fmt: skip
TELLING = frozenset(EventType) - {EventType.REJECTED, EventType.REINJECTED}
"""Likewise, of `engagement`."""

Counts = tuple[tuple[int, int], ...]
"""Stretches of time with the number of rows in each."""


class Week(NamedTuple):
    """A partition that is one part: both their names, and what tells the part's content from any other."""

    part: str
    partition: str
    content: str

    @property
    def begins(self) -> int:
        """Its mails were accepted from this moment on; the first week has all before it, too."""
        number = self._number
        return -_EVER if number <= _FIRST else number * _WEEK_MS + _MONDAY_MS

    @property
    def ends(self) -> int:
        """Its mails were accepted before this moment; the last week has all behind it, too."""
        number = self._number
        return _EVER if number >= _LAST else (number + 1) * _WEEK_MS + _MONDAY_MS

    @property
    def _number(self) -> int:
        monday = date(int(self.partition[:4]), int(self.partition[4:6]), int(self.partition[6:]))
        return (monday.toordinal() - _MONDAY) // 7

    def meets(self, since: int, until: int) -> bool:
        """Whether mails of it may have been accepted in this time."""
        return self.ends > since and self.begins <= until

    def within(self, since: int | None, until: int | None) -> bool:
        """Whether all mails of it were."""
        return (since is None or since <= self.begins) and (until is None or self.ends <= until + 1)


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
    return settled_of(parts)


def settled_of(parts: Iterable[Sequence[object]]) -> list[Week]:
    """Likewise, of all parts there are: rows of partition, name, level (0 of one that is too small) and content."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for partition, *part in parts:
        found.setdefault(str(partition), []).append(tuple(part))
    return [
        Week(str(name), partition, str(content))
        for partition, ((name, level, content), *others) in found.items()
        if not others and int(str(level)) > 0
    ]


def touched_by(batch: EventBatch, doubtful: bool = False, feeding: frozenset[EventType] = _FEEDING) -> frozenset[str]:
    """The partitions, by week, to which a batch adds rows; a doubtful one adds what is missing of all its mails.

    `feeding`: what the table takes, which is `deliveries` or `mails` where nothing else is said.
    """
    if isinstance(batch, ColumnBatch):
        weeks = set(range(_week(batch.first), _week(batch.last) + 1))
    else:
        told = {
            (event.accepted_at - _MONDAY_MS) // _WEEK_MS for event in batch.events if doubtful or event.type in feeding
        }
        weeks = {max(_FIRST, min(_LAST, week)) for week in told}
    return frozenset(date.fromordinal(_MONDAY + 7 * week).strftime("%Y%m%d") for week in weeks)


def _week(accepted_at: int) -> int:
    return max(_FIRST, min(_LAST, (accepted_at - _MONDAY_MS) // _WEEK_MS))


class SettledWeeks:
    """The settled weeks of a table. Any number of threads may use one.

    Where nobody else writes, they are kept: a week that was one merged part and was not written to since has every row
    once, whatever the engine made of that part. What has become settled is looked for now and then.
    """

    def __init__(
        self, engine: Engine, settles: bool, table: str = "deliveries", clock: Callable[[], float] = monotonic,
        least: int = 0,
    ) -> None:  # fmt: skip
        """Where weeks do not settle (`may_settle`), there are none; nor are those of fewer rows than the least.

        The clock tells seconds.
        """
        self._engine = engine
        self._settles = settles
        self._table = table
        self._clock = clock
        self.least = least
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._known: dict[str, Week] = {}
        self._looked_at = float("-inf")
        self._writes = 0  # begun and ended
        self._written: dict[str | None, int] = {}  # by partition, the last of them; None: all were
        self._under_way: Counter[str | None] = Counter()

    def now(self) -> list[Week]:
        """Those to be read without joining; whether they were so to the end is for `still` to tell."""
        if not self._settles:
            return []
        if not self._engine.embedded:
            return settled_weeks(self._engine, self._table, self.least)
        if self._clock() - self._looked_at >= _LOOK_EVERY and self._looking.acquire(self._looked_at == float("-inf")):
            try:
                self._look()
            finally:
                self._looking.release()
        with self._lock:
            return list(self._known.values())

    def _look(self) -> None:
        if self._clock() - self._looked_at < _LOOK_EVERY:  # somebody did, while this one waited
            return
        with self._lock:
            before = self._writes
        found = settled_weeks(self._engine, self._table, self.least)
        with self._lock:
            self._known = {week.partition: week for week in found if not self._was_written(week.partition, before)}
            self._looked_at = self._clock()

    def _was_written(self, partition: str, before: int) -> bool:
        names = (partition, None)
        return any(self._under_way[name] or self._written.get(name, 0) > before for name in names)

    def still(self, weeks: Iterable[Week]) -> bool:
        """Whether nothing was added to any of these since they were told."""
        weeks = list(weeks)
        if not weeks:
            return True
        if not self._engine.embedded:
            return set(weeks) <= set(settled_weeks(self._engine, self._table, self.least))
        with self._lock:
            return all(self._known.get(week.partition) == week for week in weeks)

    def look_anew(self) -> None:
        """At the next question."""
        self._looked_at = float("-inf")

    @contextmanager
    def writing(self, partitions: Collection[str] | None) -> Generator[None]:
        """Rows are added to these partitions in the block; None: any may be made anew."""
        names: tuple[str | None, ...] = (None,) if partitions is None else tuple(partitions)
        with self._lock:
            self._under_way.update(names)
            self._unsettle(names)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.subtract(names)
                self._unsettle(names)

    def _unsettle(self, names: tuple[str | None, ...]) -> None:
        self._writes += 1
        for name in names:
            self._written[name] = self._writes
            if name is None:
                self._known.clear()
            else:
                self._known.pop(name, None)


class Remembered:
    """Counts of settled weeks by question and content, those asked last. Any number of threads may use one."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most  # weeks, of all questions together
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
        """Remember rows of partition, stretch and count; a week without any has none."""
        counted: dict[str, list[tuple[int, int]]] = {week.partition: [] for week in weeks}
        for partition, stretch, count in rows:
            counted[partition].append((stretch, count))
        learnt = {week: tuple(counted[week.partition]) for week in weeks}
        with self._lock:
            self._counts.update({(question, week.content): counts for week, counts in learnt.items()})
            while len(self._counts) > self._most:
                self._counts.popitem(last=False)
        return learnt
