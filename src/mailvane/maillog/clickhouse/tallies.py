"""Deliveries counted by what they have in common. Of settled weeks, what is asked of all mail is counted once."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import cast

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.maillog.clickhouse import terms
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import SettledWeeks, Week
from mailvane.maillog.clickhouse.questions import MOMENTS, Search
from mailvane.maillog.queries import LogQuestion, TallyQuestion

_REMEMBERED = 1000  # weeks, of all questions together
_MOST_VALUES = 200  # of a week that is remembered
_MOST_ROWS = 5000  # weeks and values; where there are more, the engine ranks them

Row = tuple[object, ...]
Rows = Callable[[Statement], list[Row]]


class Tallies:
    """Of one server. Any number of threads may use one."""

    def __init__(self, rows: Rows, weeks: SettledWeeks, is_waiting: Callable[[LogQuestion], bool]) -> None:
        """`rows` puts a statement to the engine; `is_waiting` tells whether mail may wait untried in a window."""
        self._rows = rows
        self._weeks = weeks
        self._is_waiting = is_waiting
        self._known: OrderedDict[tuple[Hashable, str], dict[str, int]] = OrderedDict()
        self._many: set[Hashable] = set()  # questions with too many values
        self._lock = Lock()

    def counted(self, question: LogQuestion, how: terms.How, **values: object) -> list[Row]:
        """Rows of settled weeks are not joined: of those, columns are read only where the filters are passed."""
        weeks = self._weeks.now()
        rows = self._counted_with(question, weeks, how, values)
        if not self._weeks.still(weeks):
            rows = self._counted_with(question, [], how, values)
        return rows

    def counted_besides(self, question: LogQuestion, known: Sequence[Week], how: terms.How) -> list[Row]:
        """Likewise without these settled weeks. Right if all of them are still settled when it is there."""
        weeks = [week for week in self._weeks.now() if week not in known]
        rows = self._counted_with(question, weeks, how, {}, known)
        if not self._weeks.still(weeks):
            rows = self._counted_with(question, [], how, {}, known)
        return rows

    def _counted_with(
        self, question: LogQuestion, weeks: Sequence[Week], how: terms.How, values: dict[str, object],
        known: Sequence[Week] = (),
    ) -> list[Row]:  # fmt: skip
        """`weeks` are settled: their rows are read apart. Weeks that are known are left out."""
        search = Search(question)
        if weeks:
            search.read_apart(weeks)
        passing = search.passing(self._is_waiting(question), how.columns, known)
        return self._rows(Statement(f"{how.select} {passing.sql} {how.order}", passing.values | values))

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        """How many deliveries pass, and when the first of their mails was accepted."""
        try:
            search = Search(msgspec.structs.replace(question, skip=0, limit=1, ascending=True))
        except InvalidInput:  # of a mail whose id cannot be
            return 0, None
        ((total, moments),) = self._rows(search.total(self._is_waiting(question)))
        return int(str(total)), next(iter(cast("Sequence[int]", moments)), None)

    def tally(self, question: TallyQuestion) -> Sequence[Row]:
        """How many deliveries have which value, the most first."""
        log = question.log
        if _is_of_all_time(log) and _asked(question) not in self._many and (weeks := self._weeks.now()):
            found = self._of_all_time(question, weeks)
            if found is not None and self._weeks.still(weeks):
                return sorted(found.items(), key=lambda each: (-each[1], each[0].encode()))[: question.top]
        return self.counted(log, terms.tally(question.by), top=question.top)

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[tuple[str, Sequence[Row]]]:
        """The same of several values, each with its rows: of a window's deliveries, which are read once."""
        logs = [each.log for each in questions]
        if len(logs) < 2 or any(log != logs[0] for log in logs) or _is_of_all_time(logs[0]):
            return [(each.by, self.tally(each)) for each in questions]
        values, tops = [each.by for each in questions], [each.top for each in questions]
        rows = self.counted(logs[0], terms.several_tallies(values), top=max(tops))
        return list(zip(values, terms.apart(rows, tops), strict=True))

    def _of_all_time(self, question: TallyQuestion, weeks: list[Week]) -> Counter[str] | None:
        """Right if these weeks are settled until the answer is there. None: there are too many values."""
        known = self._remembered(question, weeks)
        column, value = terms.GROUPS[question.by]
        apart = [week for week in weeks if week not in known]
        search = Search(question.log)
        search.read_apart(weeks)
        if (possible := search.possible()) is not None:
            moments = [int(str(moment)) for (moment,) in self._rows(possible)]
            if len(moments) <= MOMENTS:
                search.narrow(moments)
        passing = search.passing_by_week(self._is_waiting(question.log), column, apart)
        sql = (
            f"SELECT week, {value} AS value, count() AS rows {passing.sql} GROUP BY week, value LIMIT {_MOST_ROWS + 1}"
        )
        found: Counter[str] = Counter()
        learnt: dict[str, dict[str, int]] = {week.partition: {} for week in apart}
        rows = self._rows(Statement(sql, passing.values))
        if len(rows) > _MOST_ROWS:
            self._learn_that_many(question)
            return None
        for week, name, count in rows:
            found[str(name)] += int(str(count))
            if week:
                learnt[str(week)][str(name)] = int(str(count))
        for counts in known.values():
            found.update(counts)
        if self._weeks.still(apart):
            self._remember(question, {week: learnt[week.partition] for week in apart})
        return found

    def _learn_that_many(self, question: TallyQuestion) -> None:
        with self._lock:
            if len(self._many) >= _REMEMBERED:
                self._many.clear()
            self._many.add(_asked(question))

    def _remembered(self, question: TallyQuestion, weeks: Sequence[Week]) -> dict[Week, dict[str, int]]:
        found = {}
        with self._lock:
            for week in weeks:
                key = (_asked(question), week.content)
                if (counts := self._known.get(key)) is not None:
                    self._known.move_to_end(key)
                    found[week] = counts
        return found

    def _remember(self, question: TallyQuestion, learnt: dict[Week, dict[str, int]]) -> None:
        with self._lock:
            for week, counts in learnt.items():
                if len(counts) <= _MOST_VALUES:
                    self._known[_asked(question), week.content] = counts
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _asked(question: TallyQuestion) -> Hashable:
    """All that decides what is counted: neither the page nor how many values are told."""
    return msgspec.structs.replace(question.log, skip=0, limit=0, ascending=False), question.by


def _is_of_all_time(log: LogQuestion) -> bool:
    """Nor by queue ids: those of a mail may become known when its week is long settled."""
    return log.since is None and log.until is None and log.after is None and log.queue_ids is None
