"""Where and why deliveries fail, and how long they take: counted in one pass, but for the times of a few domains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from mailvane.maillog.clickhouse import terms
from mailvane.maillog.clickhouse.rows import STATUSES
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.outcomes import FAILED, FINISHED, Failing, OutcomeQuestion, Outcomes, in_states
from mailvane.maillog.queries import Tally

Row = tuple[object, ...]
Counted = Callable[..., list[Row]]  # as `Tallies.counted`

_DOMAIN = terms.GROUPS["recipient_domain"][1]
_FAMILY = terms.GROUPS["family"][1]


def _among(states: Iterable[DeliveryStatus]) -> str:
    return f"{terms.RANK} IN ({', '.join(str(STATUSES.index(each)) for each in states)})"


# Groups by domain, and those by family, each with its places in both orders.
_COUNTED = terms.How(
    "recipient, state, outcome",
    "SELECT * FROM (SELECT *,"
    " row_number() OVER (PARTITION BY beside ORDER BY failed DESC, domain, family) AS by_failed,"
    " row_number() OVER (PARTITION BY beside ORDER BY delivered DESC, domain, family) AS by_delivered FROM ("
    f"SELECT {_DOMAIN} AS domain, if({_among(FAILED)}, {_FAMILY}, '') AS family, grouping(domain) AS beside,"
    f" countIf({_among(FAILED)}) AS failed, countIf({_among(FINISHED)}) AS finished,"
    f" countIf({_among((DeliveryStatus.DELIVERED,))}) AS delivered",
    "GROUP BY GROUPING SETS ((domain), (family)) HAVING finished > 0))"
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
    by_failed: int
    by_delivered: int


def outcomes(question: OutcomeQuestion, counted: Counted) -> Outcomes:
    """`counted` asks of what passes a question, grouped."""
    log, top = question.log, question.top
    groups = [_group(row) for row in counted(log, _COUNTED, top=top)]
    failing = [each for each in groups if each.failed and each.by_failed <= top]
    failing.sort(key=lambda each: each.by_failed)
    busy = [each.domain for each in groups if not each.is_family and each.delivered and each.by_delivered <= top]
    delivered = msgspec.structs.replace(log, terms=(*log.terms, in_states((DeliveryStatus.DELIVERED,))))
    delays = counted(delivered, terms.delays_to(), top=top, busy=busy) if busy else []
    return Outcomes(
        [Failing(each.domain, each.failed, each.finished) for each in failing if not each.is_family],
        [Tally(each.family, each.failed) for each in failing if each.is_family],
        terms.delays_of(delays),
    )


def _group(row: Row) -> _Group:
    domain, family, *numbers = row
    is_family, *counts = (int(str(each)) for each in numbers)
    return _Group(str(domain), str(family), bool(is_family), *counts)
