"""Where and why deliveries fail, and how long they take: counted in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from mailvane.maillog.clickhouse import terms
from mailvane.maillog.clickhouse.rows import STATUSES
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.outcomes import FAILED, FINISHED, Failing, OutcomeQuestion, Outcomes
from mailvane.maillog.queries import Delays, Tally

Row = tuple[object, ...]
Counted = Callable[..., list[Row]]  # as `Tallies.counted`
_Told = tuple[list[tuple[int, str, int]], list[tuple[int, str, tuple[int, int, int]]], tuple[list[str], list[int]]]

_DOMAIN = terms.GROUPS["recipient_domain"][1]
_FAMILY = terms.GROUPS["family"][1]


def _among(states: Iterable[DeliveryStatus]) -> str:
    return f"{terms.RANK} IN ({', '.join(str(STATUSES.index(each)) for each in states)})"


_DELIVERED = _among((DeliveryStatus.DELIVERED,))
# What there is of each domain, of which what is told is taken in one pass: neither sorted nor grouped once more.
_BY_DOMAIN = (
    f"SELECT {_DOMAIN} AS domain, countIf({_among(FAILED)}) AS failed, countIf({_among(FINISHED)}) AS finished,"
    f" countIf({_DELIVERED}) AS delivered, groupArrayIf({_FAMILY}, {_among(FAILED)}) AS families,"
    f" quantilesExactIf(0.5, 0.9, 0.99)({terms.DELAY}, {_DELIVERED}) AS times"
)


def _counted(top: int) -> terms.How:
    """One row: the domains of which most failed, those to which most was delivered, and the families of what failed."""
    first = f"groupArraySortedIf({max(1, top)})"  # the least
    told = (
        f"{first}((-toInt64(failed), domain, finished), failed > 0)",
        f"{first}((-toInt64(delivered), domain, times), delivered > 0)",
        "sumMap(families, arrayMap(each -> toUInt64(1), families))",
    )
    return terms.How("recipient, state, why, took", f"SELECT {', '.join(told)} FROM ({_BY_DOMAIN}", "GROUP BY domain)")


def outcomes(question: OutcomeQuestion, counted: Counted) -> Outcomes:
    """`counted` asks of what passes a question, grouped."""
    (row,) = counted(question.log, _counted(question.top))
    failing, busy, (families, counts) = cast("_Told", row)
    failed = sorted(zip(families, counts, strict=True), key=lambda each: (-each[1], each[0]))
    return Outcomes(
        [Failing(domain, -less, finished) for less, domain, finished in failing],
        [Tally(family, count) for family, count in failed[: question.top]],
        [Delays(domain, -less, *times) for less, domain, times in busy],
    )
