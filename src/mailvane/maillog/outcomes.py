"""Where and why mail fails, and how long it takes: a question, and its answer made of plainer ones.

The latter for mail logs that do not answer it as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    LogQuestion,
    Match,
    Pattern,
    Tally,
    TallyQuestion,
    Term,
)

FAILED = (DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED)
FINISHED = (DeliveryStatus.DELIVERED, *FAILED)
_ALL = 10_000  # receiving domains


class OutcomeQuestion(msgspec.Struct, frozen=True):
    """Where and why deliveries that pass fail, and how long those took that were made: so many rows of each."""

    log: LogQuestion
    top: int = 10


class Failing(msgspec.Struct, frozen=True):
    """A receiving domain: how many deliveries bounced or expired, and how many ended so or were made."""

    value: str
    failed: int
    finished: int


class Outcomes(msgspec.Struct, frozen=True):
    """Of receiving domains and of families of reasons, those first of which most failed."""

    domains: list[Failing]
    families: list[Tally]  # of what failed
    delays: list[Delays]  # of receiving domains, those first to which most was delivered
    whole: Delays | None = None  # of all that was delivered; None: nothing was


def asked_apart(
    question: OutcomeQuestion,
    tally: Callable[[TallyQuestion], list[Tally]],
    delays: Callable[[DelayQuestion], list[Delays]],
) -> Outcomes:
    """By five questions."""
    failed, finished, delivered = (
        msgspec.structs.replace(question.log, terms=(*question.log.terms, in_states(states)))
        for states in (FAILED, FINISHED, (DeliveryStatus.DELIVERED,))
    )
    wholes = {each.value: each.count for each in tally(TallyQuestion(finished, "recipient_domain", _ALL))}
    domains = tally(TallyQuestion(failed, "recipient_domain", question.top))
    return Outcomes(
        [Failing(each.value, each.count, max(each.count, wholes.get(each.value, 0))) for each in domains],
        tally(TallyQuestion(failed, "family", question.top)),
        delays(DelayQuestion(delivered, "recipient_domain", question.top)),
        next(iter(delays(DelayQuestion(delivered, "status", 1))), None),
    )


def in_states(states: Iterable[DeliveryStatus]) -> Term:
    """That a delivery is in one of them."""
    return Term("is", tuple(Pattern(each.value, Match.WHOLE) for each in states))
