"""What comes back about mail that was sent: from a sending service by notification, and from the Postfix log.

Notifications come in at a door that is open to everyone, so its answers say plainly what became of each. What feedback
does to a domain is decided by governance; how a notification is read and believed is the source's business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.maillog.model import EventBatch, EventType, MailEvent, MailKind
from mailvane.outbound.model import Counting, Domain, Feedback

_LONGEST_QUEUED_MS = 30 * DAY_MS  # ours: six times what Postfix keeps mail by default


class Answer(StrEnum):
    """What became of a notification."""

    TAKEN = "taken"  # believed; done with, also when it concerned nobody here
    MALFORMED = "malformed"  # not a notification at all
    REFUSED = "refused"  # not believed: nothing was changed
    LATER = "later"  # not now: it should be sent again


class Outcome(msgspec.Struct, frozen=True):
    """The answer, and why, in words for whoever operates either side."""

    answer: Answer
    why: str = ""


class NotificationIntake(Protocol):
    """Takes in the notifications of a sending service. Blocking, for seconds."""

    def __call__(self, body: bytes, now: int) -> Outcome: ...


class FeedbackBook(Protocol):
    """Where feedback counts; `Governance` is one."""

    def governed(self, name: str) -> Domain:
        """Also one that was removed, as long as mail of it is to be billed. Raises NotFound."""

    def feedback(self, name: str, feedback: Feedback, now: int) -> bool:
        """Count it once per message id, in the month of its mail; whether it counted.

        It does not when it was counted before, when the domain is not known, or when that month is long over.
        """


class PostfixFeedback:
    """Lets bounces that stand in a Postfix log count against their domain, as those of a sending service do."""

    def __init__(self, book: FeedbackBook) -> None:
        self._book = book

    def __call__(self, batch: EventBatch, now: int) -> int:
        """Count what is in a batch; how many bounces were new. Call it before the batch is recorded.

        Being counted twice is impossible, being forgotten is not: so a batch that is read again after a crash comes
        here again, and changes nothing.
        """
        return sum(self._count(event, batch.workspace, now) for event in batch.events if _counts(event))

    def _count(self, event: MailEvent, workspace: int, now: int) -> bool:
        name = domain_of(event.sender).lower()
        try:
            domain = self._book.governed(name)
        except NotFound:
            return False
        if domain.workspace != workspace:
            return False
        evidence = {
            "source": "postfix log",
            "mail": event.mail_id,
            "relay": event.relay,
            "recipient": event.recipient,
            "reply": event.reply[:500],
            "at": event.at,
        }
        feedback = Feedback(
            bounces=1, message_id=_message_id(event, domain), mail_at=event.accepted_at, evidence=evidence
        )
        return self._book.feedback(name, feedback, now)


def _counts(event: MailEvent) -> bool:
    return (
        event.type is EventType.BOUNCED
        and event.hard
        and event.kind is MailKind.MAIL
        and "@" in event.sender
        and -DAY_MS <= event.at - event.accepted_at <= _LONGEST_QUEUED_MS  # otherwise one of the two is wrong
    )


def _message_id(event: MailEvent, domain: Domain) -> str:
    """What a bounce is known by: the mail, or mail and recipient, whichever the domain counts when it sends."""
    name = f"postfix:{event.relay}:{event.mail_id}"
    return f"{name}:{event.recipient}" if domain.counting is Counting.RECIPIENTS else name
