"""What really happened in the simulated world, counted as it happened and not by reading the log."""

from __future__ import annotations

from array import array
from collections import Counter
from enum import IntEnum

import msgspec

from mailvane.maillog.model import ReasonFamily

_FAMILIES = tuple(ReasonFamily)
_FAMILY_NUMBERS = {family: number for number, family in enumerate(_FAMILIES)}


class Happening(IntEnum):
    """One thing that happened, as far as it is counted."""

    ACCEPTED = 0
    DELIVERED = 1
    DEFERRED = 2
    BOUNCED = 3
    EXPIRED = 4
    REJECTED = 5
    SCREENED = 6
    NOTIFIED = 7


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a span. A mail that passes through a content filter is one mail, delivered once."""

    accepted: int  # mails; notifications are not among them
    delivered: int  # recipients of mails, likewise below
    deferred: int  # attempts that were put off
    bounced: int
    expired: int
    rejected: int  # recipients refused by smtpd before there was a mail
    screened: int  # recipients refused by postscreen
    notifications: int  # mails of the relay's own: bounces sent to senders
    families: dict[ReasonFamily, int]  # of the bounced


class Tally:
    """Remembers every happening with its time."""

    def __init__(self) -> None:
        self._happenings = array("q")

    def add(self, at: int, what: Happening, family: ReasonFamily = ReasonFamily.NONE) -> None:
        self._happenings.append(at << 8 | what << 4 | _FAMILY_NUMBERS[family])

    def truth(self, since: int, until: int) -> Truth:
        """The counts from `since`, inclusive, to `until`, exclusive."""
        low, high = since << 8, until << 8
        within = Counter(packed & 0xFF for packed in self._happenings if low <= packed < high)
        counts = Counter[Happening]()
        families = Counter[ReasonFamily]()
        for packed, count in within.items():
            what = Happening(packed >> 4)
            counts[what] += count
            if what is Happening.BOUNCED:
                families[_FAMILIES[packed & 0xF]] += count
        return Truth(
            accepted=counts[Happening.ACCEPTED],
            delivered=counts[Happening.DELIVERED],
            deferred=counts[Happening.DEFERRED],
            bounced=counts[Happening.BOUNCED],
            expired=counts[Happening.EXPIRED],
            rejected=counts[Happening.REJECTED],
            screened=counts[Happening.SCREENED],
            notifications=counts[Happening.NOTIFIED],
            families=dict(families),
        )
