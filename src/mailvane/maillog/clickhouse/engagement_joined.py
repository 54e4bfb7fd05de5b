"""Answers about engagement in two parts: what settled weeks have for them, and what the mails of the others have.

The former are sums, which stay right for as long as those weeks are as they were: so they are remembered, and the
latter alone are asked for again. Both are joined here. No execution.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Sized
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse.engagement import (
    BITS,
    Known,
    mails_apart,
    senders_apart,
    senders_of_weeks,
    sums_of_weeks,
    whole_days,
)
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import Week
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion
from mailvane.maillog.ranking import RankingQuestion, SenderRanking, ever

T = TypeVar("T", bound=Sized)
_MOST_ROWS = 60_000  # are remembered, of all questions together: some 300 bytes each
_COUNTS = (
    "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "replied", "auto_replied", "tagged",
    "positive", "unsubscribed", "complained",
)  # fmt: skip


class SenderColumns(msgspec.Struct, frozen=True):
    """Senders, as many as there are numbers; and the bits of all mails, in the window or not, where they are told."""

    senders: list[str]
    sent: list[int]
    counted: list[int] = []  # of a kind, if one is asked for
    all_done: int = 0
    any_tagged: int = 0


class SenderSums(msgspec.Struct, frozen=True):
    """What settled weeks have for a ranking, by sender, in the order of their addresses."""

    sent: Mapping[str, int]
    counted: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.sent) + len(self.counted)


Rows = Mapping[Hashable, EngagementCounts]
"""By what is asked by."""


class Parts(NamedTuple):
    """A question whose window has each of these settled weeks from some day on, or from its beginning, to its end."""

    question: EngagementQuestion
    weeks: Sequence[Week]
    known: Known

    @property
    def name(self) -> Hashable:
        """What the rows of the weeks are remembered by."""
        asked = structs.replace(self.question, until=None, most=0)
        return asked, tuple(sorted(week.content for week in self.weeks))

    def settled(self) -> Statement:
        return sums_of_weeks(structs.replace(self.question, until=None), self.weeks, self.known)

    def others(self) -> Statement:
        """What the mails of all other weeks have."""
        return mails_apart(self.question, self.weeks)

    def settled_senders(self) -> Statement:
        """What `settled` has, by sender, as columns."""
        return senders_of_weeks(structs.replace(self.question, until=None), self.weeks, self.known)

    def other_senders(self) -> Statement:
        """Likewise what the mails of all other weeks have, also of those before and after the window."""
        return senders_apart(self.question, self.weeks)


def is_joined(question: EngagementQuestion) -> bool:
    """Whether sums have what is asked, and of whole days."""
    if question.brief or question.recent is not None or whole_days(question) is None:
        return False
    return question.since is None or question.since % DAY_MS == 0


def parts_of(question: EngagementQuestion, known: Known) -> Parts:
    """Weeks that the window has to their end are asked for by their sums. There may be none."""
    weeks = [week for week in known.weeks if question.until is None or week.ends <= question.until + 1]
    return Parts(question, weeks, known)


def joined(question: EngagementQuestion, settled: Rows, others: Iterable[EngagementCounts]) -> list[EngagementCounts]:
    """As one answer: those that sent most first."""
    found, name = dict(settled), named(question)
    counts = ("sent", *(_COUNTS if question.counts is None else question.counts))
    for row in others:
        key = name(row)
        before = found.get(key)
        if before is None:
            found[key] = row
        else:
            found[key] = _added(question, counts, before, row)
    rows = sorted(found.values(), key=name) if question.by else list(found.values())
    rows.sort(key=attrgetter("sent"), reverse=True)
    return rows[: question.most]


def _added(
    question: EngagementQuestion, counts: Sequence[str], one: EngagementCounts, other: EngagementCounts
) -> EngagementCounts:
    values: dict[str, Any] = {name: getattr(one, name) for name in question.by}
    for name in counts:
        values[name] = getattr(one, name) + getattr(other, name)
    if question.counts is None:
        values |= {"first_at": min(one.first_at, other.first_at), "last_at": max(one.last_at, other.last_at)}
    return EngagementCounts(**values)


def named(question: EngagementQuestion) -> Callable[[EngagementCounts], Any]:
    """What tells the rows of an answer apart."""
    return attrgetter(*question.by) if question.by else lambda _row: ()


def is_ranked(question: RankingQuestion) -> bool:
    """Whether a ranking can be joined: all mail is asked for where all of it is."""
    return is_joined(question.by_sender) and question.log.senders is None and question.log.domains is None


def ranked(
    question: RankingQuestion, settled: SenderSums, others: SenderColumns, whole: Iterable[EngagementCounts]
) -> SenderRanking:
    """As one answer; `whole`: what the settled weeks sum up to."""
    sent = _sum(settled.sent, others.senders, others.sent)
    order = sorted(sorted(sent), key=sent.__getitem__, reverse=True)[: question.log.most]
    counted = _sum(settled.counted, others.senders, others.counted)
    return SenderRanking({sender: sent[sender] for sender in order}, counted, ever([*whole, ever_of(others)]))


def _sum(settled: Mapping[str, int], senders: Sequence[str], more: Sequence[int]) -> dict[str, int]:
    found = dict(settled)
    for sender, count in zip(senders, more, strict=False):
        if count:
            found[sender] = found.get(sender, 0) + count
    return found


def by_sender(columns: SenderColumns) -> SenderSums:
    """In the order of addresses, in which a ranking that begins with them is sorted sooner."""
    sent = sorted(zip(columns.senders, columns.sent, strict=True))
    return SenderSums(dict(sent), dict(zip(columns.senders, columns.counted, strict=False)))


def ever_of(senders: SenderColumns) -> EngagementCounts:
    """What ever happened to any mail, by their bits."""
    told: dict[str, Any] = {name: int(senders.all_done & bit != 0) for name, bit in BITS.items()}
    return EngagementCounts(sent=senders.all_done & 1, tagged=senders.any_tagged, **told)


class SettledRows(Generic[T]):
    """What settled weeks had for questions, those asked last. Any number of threads may use one."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, name: Hashable) -> T | None:
        with self._lock:
            rows = self._rows.get(name)
            if rows is not None:
                self._rows.move_to_end(name)
            return rows

    def learn(self, name: Hashable, rows: T) -> None:
        if len(rows) > _MOST_ROWS:
            return
        with self._lock:
            self._rows[name] = rows
            self._rows.move_to_end(name)
            while sum(max(1, len(each)) for each in self._rows.values()) > _MOST_ROWS:
                self._rows.popitem(last=False)


def by_name(question: EngagementQuestion, rows: Iterable[EngagementCounts]) -> Rows:
    """In their order, in which an answer that has them is sorted sooner."""
    name = named(question)
    return {cast("Hashable", name(row)): row for row in sorted(rows, key=name)}
