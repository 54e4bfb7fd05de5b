"""Warm-up in figures: what became of a mailbox's mail while it was warmed up, and the health score made of it.

A server sees whether mail was taken, complained of, opened and answered, not in which folder it lies. So a delivered
mail counts as in the inbox unless somebody complained of it: more cannot be known here.
"""

from __future__ import annotations

import msgspec

from mailvane.maillog.queries import EngagementCounts

_INBOX, _NOT_SPAM, _OPENED = 50, 30, 20  # weights of the score, in hundredths


class Placement(msgspec.Struct, frozen=True):
    """Where mails went."""

    sent: int
    inbox: int
    spam: int
    replied: int
    opened: int
    bounced: int

    @property
    def inbox_rate(self) -> int:
        """In whole percent, halves rounded up; likewise below."""
        return _percent(self.inbox, self.sent)

    @property
    def spam_rate(self) -> int:
        return _percent(self.spam, self.sent)

    @property
    def health_score(self) -> int:
        """`inbox * 0.5 + (100 - spam) * 0.3 + opened * 0.2`, all in percent of what was sent; at most 100, cut off.

        It is reckoned in whole numbers: 155 in the inbox, 12 as spam and 145 opened of 175 give 88.8, thus 88.
        """
        if not self.sent:
            return 0
        weighed = _INBOX * self.inbox + _NOT_SPAM * (self.sent - self.spam) + _OPENED * self.opened
        return min(100, weighed // self.sent)


def placement(counts: EngagementCounts) -> Placement:
    spam = counts.complained
    return Placement(
        sent=counts.sent,
        inbox=max(0, counts.delivered - spam),
        spam=spam,
        replied=counts.replied,
        opened=counts.opened,
        bounced=counts.bounced,
    )


def _percent(part: int, whole: int) -> int:
    return (200 * part + whole) // (2 * whole) if whole else 0
