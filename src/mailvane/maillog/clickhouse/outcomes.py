"""Where and why deliveries fail, and how long they take: counted in one pass. Settled weeks are counted once."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from heapq import nsmallest
from itertools import chain
from typing import Any, NamedTuple, cast

from msgspec import structs

from mailvane.maillog.clickhouse import terms
from mailvane.maillog.clickhouse.merged_partitions import SettledWeeks, Week
from mailvane.maillog.clickhouse.rows import STATUSES
from mailvane.maillog.clickhouse.tallies import Tallies
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.outcomes import FAILED, FINISHED, Failing, OutcomeQuestion, Outcomes
from mailvane.maillog.queries import Delays, LogQuestion, Tally

Row = tuple[object, ...]
_Told = tuple[
    list[tuple[int, str, int]], list[tuple[int, str, tuple[int, int, int]]], tuple[list[str], list[int]],
    int, tuple[int, int, int],
]  # fmt: skip
_ToldByDomain = tuple[list[tuple[str, int, int, list[str], Any]], Iterable[int]]

_DOMAIN = terms.GROUPS["recipient_domain"][1]
_FAMILY = terms.GROUPS["family"][1]
_COLUMNS = "recipient, state, why, took"
_SHARES = (0.5, 0.9, 0.99)
_ALL = DeliveryStatus.DELIVERED.value  # by which all that was delivered is one
_MOST_DOMAINS = 20_000  # of a part of a window; of more, nothing is remembered
_MOST_TIMES = 4_000_000  # of deliveries, are remembered of all weeks and questions together: some 16 bytes each


def _among(states: Iterable[DeliveryStatus]) -> str:
    return f"{terms.RANK} IN ({', '.join(str(STATUSES.index(each)) for each in states)})"


_DELIVERED = _among((DeliveryStatus.DELIVERED,))
_COUNTED = (
    f"SELECT {_DOMAIN} AS domain, countIf({_among(FAILED)}) AS failed, countIf({_among(FINISHED)}) AS finished,"
    f" groupArrayIf({_FAMILY}, {_among(FAILED)}) AS families"
)
_BY_DOMAIN = terms.How(
    _COLUMNS,
    "SELECT groupArray((domain, failed, finished, families, times)), arraySort(groupArrayArray(times))"
    f" FROM ({_COUNTED}, arraySort(groupArrayIf({terms.DELAY}, {_DELIVERED})) AS times",
    f"GROUP BY domain LIMIT {_MOST_DOMAINS + 1})",
)


def _counted(top: int) -> terms.How:
    """One row: the domains of which most failed, those to which most was delivered, and the families of what failed.

    What there is of each domain is told in one pass: neither sorted nor grouped once more.
    """
    first = f"groupArraySortedIf({max(1, top)})"  # the least
    shares = ", ".join(map(str, _SHARES))
    told = (
        f"{first}((-toInt64(failed), domain, finished), failed > 0)",
        f"{first}((-toInt64(delivered), domain, finalizeAggregation(times)), delivered > 0)",
        "sumMap(families, arrayMap(each -> toUInt64(1), families))",
        "sum(delivered)",
        f"quantilesExactMerge({shares})(times)",
    )
    by_domain = (
        f"{_COUNTED}, countIf({_DELIVERED}) AS delivered,"
        f" quantilesExactStateIf({shares})({terms.DELAY}, {_DELIVERED}) AS times"
    )
    return terms.How(_COLUMNS, f"SELECT {', '.join(told)} FROM ({by_domain}", "GROUP BY domain)")


class _Domain(NamedTuple):
    """What is of one receiving domain; the times of what was delivered, in order."""

    failed: int
    finished: int
    times: Sequence[int]


class _Counted(NamedTuple):
    """What is of a stretch of time: by receiving domain, and by family of what failed."""

    domains: Mapping[str, _Domain]
    families: Counter[str]
    times: Sequence[int]  # of all that was delivered, in order


class OutcomesOfWeeks:
    """Of one server. Any number of threads may use one."""

    def __init__(self, tallies: Tallies, weeks: SettledWeeks) -> None:
        self._tallies = tallies
        self._weeks = weeks
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Hashable, str], _Counted] = OrderedDict()

    def ask(self, question: OutcomeQuestion) -> Outcomes:
        """Of settled weeks as it is remembered, of the rest of the window as it is now."""
        log = question.log
        is_windowed = log.since is not None and log.after is None and log.queue_ids is None and not log.by_message
        weeks = [week for week in self._weeks.now() if week.within(log.since, log.until)] if is_windowed else []
        if weeks and (parts := self._parts(log, weeks)) is not None and self._weeks.still(weeks):
            return _joined(parts, question.top)
        return _of_one(self._tallies.counted(log, _counted(question.top)), question.top)

    def _parts(self, log: LogQuestion, weeks: Sequence[Week]) -> list[_Counted] | None:
        """Each of these weeks, and what is besides. None: there are too many domains."""
        asked = structs.replace(log, since=None, until=None, skip=0, limit=0, ascending=False)
        parts = []
        for week in weeks:
            with self._lock:
                known = self._known.get((asked, week.content))
            if known is None:
                window = structs.replace(log, since=week.begins, until=week.ends - 1)
                known = _by_domain(self._tallies.counted(window, _BY_DOMAIN))
            if known is None:
                return None
            parts.append(known)
        besides = _by_domain(self._tallies.counted_besides(log, weeks, _BY_DOMAIN))
        if besides is None:
            return None
        if self._weeks.still(weeks):
            self._remember({(asked, week.content): part for week, part in zip(weeks, parts, strict=True)})
        return [*parts, besides]

    def _remember(self, learnt: Mapping[tuple[Hashable, str], _Counted]) -> None:
        with self._lock:
            for key, part in learnt.items():
                self._known[key] = part
                self._known.move_to_end(key)
            left = _MOST_TIMES
            for key in reversed(list(self._known)):
                left -= sum(1 + len(each.times) for each in self._known[key].domains.values())
                if left < 0:
                    del self._known[key]


def _by_domain(rows: Sequence[Row]) -> _Counted | None:
    """None: there are too many."""
    (row,) = rows
    told, every = cast("_ToldByDomain", row)
    if len(told) > _MOST_DOMAINS:
        return None
    domains, families = {}, Counter[str]()
    for domain, failed, finished, of_failed, times in told:
        domains[domain] = _Domain(failed, finished, tuple(times))
        families.update(of_failed)
    return _Counted(domains, families, array("Q", every))


def _joined(parts: Sequence[_Counted], top: int) -> Outcomes:
    failed, finished, delivered, families = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for part in parts:
        families.update(part.families)
        for domain, one in part.domains.items():
            failed[domain] += one.failed
            finished[domain] += one.finished
            delivered[domain] += len(one.times)
    busy = []
    for domain, count in _first(delivered, top):
        times = sorted(chain.from_iterable(part.domains[domain].times for part in parts if domain in part.domains))
        # As the engine's exact quantiles have it.
        busy.append(Delays(domain, count, *(times[int(share * count)] for share in _SHARES)))
    return Outcomes(
        [Failing(domain, count, finished[domain]) for domain, count in _first(failed, top)],
        [Tally(family, count) for family, count in _first(families, top)],
        busy,
        _whole([part.times for part in parts]),
    )


def _whole(parts: Sequence[Sequence[int]]) -> Delays | None:
    """Of all that was delivered in these parts, without putting all of it in order once more."""
    count = sum(map(len, parts))
    if not count:
        return None
    longest = max(times[-1] for times in parts if times)

    def at(place: int) -> int:
        """The time that as many others come before."""
        low, high = 0, longest
        while low < high:
            middle = (low + high) // 2
            if sum(bisect_right(times, middle) for times in parts) > place:
                high = middle
            else:
                low = middle + 1
        return low

    return Delays(_ALL, count, *(at(int(share * count)) for share in _SHARES))


def _first(counts: Mapping[str, int], top: int) -> list[tuple[str, int]]:
    """Those that count most, and by name where they count the same, in the order of bytes."""
    found = ((name, count) for name, count in counts.items() if count)
    return nsmallest(top, found, key=lambda each: (-each[1], each[0].encode()))


def _of_one(rows: Sequence[Row], top: int) -> Outcomes:
    (row,) = rows
    failing, busy, (families, counts), delivered, shares = cast("_Told", row)
    return Outcomes(
        [Failing(domain, -less, finished) for less, domain, finished in failing[:top]],
        [Tally(family, count) for family, count in _first(dict(zip(families, counts, strict=True)), top)],
        [Delays(domain, -less, *times) for less, domain, times in busy[:top]],
        Delays(_ALL, delivered, *shares) if delivered else None,
    )
