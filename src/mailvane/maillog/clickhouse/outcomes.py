"""Where and why deliveries fail, and how long they take: counted in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

from mailvane.maillog.clickhouse import terms
from mailvane.maillog.clickhouse.rows import STATUSES
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.outcomes import FAILED, FINISHED, Failing, OutcomeQuestion, Outcomes
from mailvane.maillog.queries import Delays, Tally

Row = tuple[object, ...]
Counted = Callable[..., list[Row]]  # as `Tallies.counted`

_DOMAIN = terms.GROUPS["recipient_domain"][1]
_FAMILY = terms.GROUPS["family"][1]


def _among(states: Iterable[DeliveryStatus]) -> str:
    return f"{terms.RANK} IN ({', '.join(str(STATUSES.index(each)) for each in states)})"


# Of each domain and family at first, in one pass; then of domains and of families, with their places in both orders.
# What did not fail is of no family here, so the times of a domain are those of one group.
_COUNTED = terms.How(
    "recipient, state, outcome",
    "SELECT * FROM (SELECT *,"
    " row_number() OVER (PARTITION BY beside ORDER BY failed DESC, domain, family) AS by_failed,"
    " row_number() OVER (PARTITION BY beside ORDER BY delivered DESC, domain, family) AS by_delivered FROM ("
    "SELECT domain, family, grouping(domain) AS beside, sum(failed_) AS failed, sum(finished_) AS finished,"
    " sum(delivered_) AS delivered, maxIf(times_, family_ = '') AS times FROM ("
    f"SELECT {_DOMAIN} AS domain, if({_among(FAILED)}, {_FAMILY}, '') AS family, family AS family_,"
    f" countIf({_among(FAILED)}) AS failed_, countIf({_among(FINISHED)}) AS finished_,"
    f" countIf({_among((DeliveryStatus.DELIVERED,))}) AS delivered_,"
    f" quantilesExactIf(0.5, 0.9, 0.99)({terms.DELAY}, {_among((DeliveryStatus.DELIVERED,))}) AS times_",
    "GROUP BY domain, family) GROUP BY GROUPING SETS ((domain), (family)) HAVING finished > 0))"
    " WHERE by_failed <= {top:UInt32} OR by_delivered <= {top:UInt32}",
)


class _Group(NamedTuple):
    """Deliveries to a domain, or those that failed for reasons of a family. Its places are from 1."""

    domain: str
    family: str
    is_family: bool
    failed: int
    finished: int
    delivered: int
    times: tuple[int, ...]  # that half, 90 % and 99 % of those that were delivered took at most
    by_failed: int
    by_delivered: int


def outcomes(question: OutcomeQuestion, counted: Counted) -> Outcomes:
    """`counted` asks of what passes a question, grouped."""
    top = question.top
    groups = [_group(row) for row in counted(question.log, _COUNTED, top=top)]
    failing = sorted((each for each in groups if each.failed and each.by_failed <= top), key=lambda one: one.by_failed)
    busy = [each for each in groups if not each.is_family and each.delivered and each.by_delivered <= top]
    busy.sort(key=lambda each: each.by_delivered)
    return Outcomes(
        [Failing(each.domain, each.failed, each.finished) for each in failing if not each.is_family],
        [Tally(each.family, each.failed) for each in failing if each.is_family],
        [Delays(each.domain, each.delivered, *each.times) for each in busy],
    )


def _group(row: Row) -> _Group:
    domain, family, is_family, *counts, times, by_failed, by_delivered = row
    failed, finished, delivered = (int(str(each)) for each in counts)
    return _Group(
        str(domain),
        str(family),
        str(is_family) == "1",
        failed,
        finished,
        delivered,
        tuple(int(str(each)) for each in cast("Sequence[object]", times)),
        int(str(by_failed)),
        int(str(by_delivered)),
    )
