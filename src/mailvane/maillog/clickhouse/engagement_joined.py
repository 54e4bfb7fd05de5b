"""Answers about engagement in two parts: what settled weeks have for them, and what the mails of the others have.

The former are sums, which stay right for as long as those weeks are as they were: so they are remembered, and the
latter alone are asked for again. Both are joined here. No execution.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.maillog.clickhouse.engagement import (
    BITS,
    Known,
    mails_apart,
    senders_apart,
    sums_of_weeks,
    whole_days,
)
from mailvane.maillog.clickhouse.engine import Statement
from mailvane.maillog.clickhouse.merged_partitions import Week
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion

_MOST_ROWS = 60_000  # are remembered, of all questions together: some 300 bytes each
_COUNTS = (
    "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "replied", "auto_replied", "tagged",
    "positive", "unsubscribed", "complained",
)  # fmt: skip


class SenderBits(EngagementCounts, frozen=True, kw_only=True, gc=False):
    """Of a sender, beside what was counted in the window: the bits of all mails, and whether any is tagged."""

    all_done: int
    any_tagged: int

    def counts(self) -> EngagementCounts:
        """What was counted in the window alone."""
        return EngagementCounts(**{name: getattr(self, name) for name in EngagementCounts.__struct_fields__})


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
        asked = structs.replace(self.question, until=None, most=0, beside_whole=False)
        return asked, tuple(sorted(week.content for week in self.weeks))

    def settled(self) -> Statement:
        return sums_of_weeks(structs.replace(self.question, until=None), self.weeks, self.known)

    def others(self) -> Statement:
        """What the mails of all other weeks have; beside the whole, also those before and after the window."""
        apart = senders_apart if self.question.beside_whole else mails_apart
        return apart(self.question, self.weeks)


def is_joined(question: EngagementQuestion) -> bool:
    """Whether sums have what is asked, and of whole days; and all mail is asked for where all of it is."""
    if question.brief or question.recent is not None or whole_days(question) is None:
        return False
    if question.beside_whole and (question.senders is not None or question.domains is not None):
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
    by_sender_alone = question.by == ("sender",) and len(counts) == 1  # of ten thousand and more
    for row in others:
        key = name(row)
        before = found.get(key)
        if before is None:
            found[key] = row.counts() if isinstance(row, SenderBits) else row
        elif by_sender_alone:
            found[key] = EngagementCounts(sender=row.sender, sent=before.sent + row.sent)
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


def ever(rows: Iterable[EngagementCounts]) -> EngagementCounts:
    """Whether anything ever happened to any of these, by 0 or 1; `tagged` is of any mail, replied or not."""
    rows = list(rows)
    told: dict[str, Any] = {name: int(any(getattr(row, name) for row in rows)) for name in ("sent", "tagged", *BITS)}
    return EngagementCounts(**told | {"tagged": int(told["tagged"] and told["replied"])})


def ever_of(senders: Iterable[SenderBits]) -> EngagementCounts:
    """Likewise, by their bits."""
    done = tagged = 0
    for row in senders:
        done |= row.all_done
        tagged |= row.any_tagged
    told: dict[str, Any] = {name: int(done & bit != 0) for name, bit in BITS.items()}
    return EngagementCounts(sent=done & 1, tagged=tagged, **told)


class SettledRows:
    """What settled weeks had for questions, those asked last. Any number of threads may use one."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, name: Hashable) -> Rows | None:
        with self._lock:
            rows = self._rows.get(name)
            if rows is not None:
                self._rows.move_to_end(name)
            return rows

    def learn(self, name: Hashable, rows: Rows) -> None:
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
