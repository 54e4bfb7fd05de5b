"""How mail fared by one of its features, beside the period before: what became of it, and the share that bounced.

Asked of the mail log by tallies, so every mail log can tell it. Pure but for those questions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import DeliveryStatus
from mailvane.maillog.queries import LogQuestion, TallyBy, TallyQuestion
from mailvane.maillog.shares import Share, share_of

MOST_VALUES = 10_000  # of one state; a mail server that sends to more domains than that is asked by provider
_WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED, DeliveryStatus.HELD)


class Dimension(StrEnum):
    """What mail is told apart by."""

    DOMAIN = "domain"  # of the sender
    MAILBOX = "mailbox"  # the sender
    MX = "mx"  # the host that took it, or said why not
    PROVIDER = "provider"  # whose host that is
    RELAY = "relay"
    LOGIN = "login"
    RECEIVER = "receiver"  # the recipient's domain


_BY: Mapping[Dimension, TallyBy] = {
    Dimension.DOMAIN: "sender_domain",
    Dimension.MAILBOX: "sender",
    Dimension.MX: "mx",
    Dimension.PROVIDER: "provider",
    Dimension.RELAY: "relay",
    Dimension.LOGIN: "login",
    Dimension.RECEIVER: "recipient_domain",
}


class Figures(msgspec.Struct, frozen=True):
    """Of deliveries that were accepted within a period, by their newest state."""

    deliveries: int
    delivered: int
    bounced: int  # given up, by an answer or for their age
    waiting: int

    @property
    def bounce_share(self) -> Share:
        """Of what came to an end."""
        return share_of(self.bounced, self.bounced + self.delivered)


class DimensionRow(msgspec.Struct, frozen=True):
    """One value, in the period and in the one before, which is as long; None: there is none before."""

    value: str
    now: Figures
    before: Figures | None
    bounces: Share
    bounces_before: Share | None
    changed: bool  # whether the share of bounces differs from before by more than chance


def by_dimension(maillog: MailLog, question: LogQuestion, dimension: Dimension, top: int) -> list[DimensionRow]:
    """The values with most deliveries. The question's times are the period: `until`, and `since` unless it is endless.

    Raises StoreUnavailable.
    """
    now = _figures(maillog, question, dimension)
    before = None
    if question.since is not None and question.until is not None:
        length = question.until - question.since
        earlier = msgspec.structs.replace(question, since=question.since - length, until=question.since - 1)
        before = _figures(maillog, earlier, dimension)
    ranked = sorted(now.items(), key=lambda each: (-each[1].deliveries, each[0]))[:top]
    return [_row(value, figures, before) for value, figures in ranked]


_NONE = Figures(0, 0, 0, 0)


def _row(value: str, now: Figures, before: Mapping[str, Figures] | None) -> DimensionRow:
    earlier = None if before is None else before.get(value, _NONE)
    share_before = None if earlier is None else earlier.bounce_share
    share = now.bounce_share
    changed = share_before is not None and share.differs_from(share_before)
    return DimensionRow(value, now, earlier, share, share_before, changed)


def _figures(maillog: MailLog, question: LogQuestion, dimension: Dimension) -> dict[str, Figures]:
    counted: dict[str, Counter[DeliveryStatus]] = defaultdict(Counter)
    for status in DeliveryStatus:
        asked = TallyQuestion(msgspec.structs.replace(question, status=status), _BY[dimension], MOST_VALUES)
        for tally in maillog.tally(asked):
            counted[tally.value][status] += tally.count
    return {value: _figures_of(states) for value, states in counted.items()}


def _figures_of(states: Counter[DeliveryStatus]) -> Figures:
    return Figures(
        deliveries=states.total(),
        delivered=states[DeliveryStatus.DELIVERED],
        bounced=_sum(states, (DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED)),
        waiting=_sum(states, _WAITING),
    )


def _sum(states: Counter[DeliveryStatus], wanted: Sequence[DeliveryStatus]) -> int:
    return sum(states[each] for each in wanted)
