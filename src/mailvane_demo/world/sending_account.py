"""A simulated account at a sending service: domains that mail through it, and what the service tells of each mail.

One of them is a spam run on a bought list. Everything is drawn from one seed, and time is an argument. Whether a mail
may pass is not asked here, and nothing is sent: what comes out are mails that want to go out, and texts of messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from mailvane_demo.world.sns_topic import stamp

_STEP = 1000
_READERS = ("ann", "bo", "carla", "dmitri", "eva", "femi", "gus", "hana", "ines", "jo")
_PLACES = ("mailhaven.example", "postbox.example", "inbox.example", "letters.example")


class AccountDomain(msgspec.Struct, frozen=True, kw_only=True):
    """A domain that sends through the account."""

    name: str
    a_minute: float
    stale: float  # share of addresses that do not exist
    complaining: float = 0.0005  # share of readers who call it spam
    begins: int = 0  # milliseconds after the account does


SHOP = AccountDomain(name="kettleandco.example", a_minute=40, stale=0.006)
NEWSLETTER = AccountDomain(name="lettersmith.example", a_minute=25, stale=0.004, complaining=0.001)
SPAM_RUN = AccountDomain(name="prize-desk.example", a_minute=240, stale=0.12, complaining=0.01, begins=20_000)
DOMAINS = (SHOP, NEWSLETTER, SPAM_RUN)


class Mailing(msgspec.Struct, frozen=True):
    """A mail that wants to go out."""

    at: int
    domain: AccountDomain
    recipient: str
    number: int


class SendingAccount:
    """The same seed and start make the same account."""

    def __init__(self, seed: int, start: int) -> None:
        self._seed = seed
        self._start = start

    def mailings(self, since: int, until: int) -> Iterator[Mailing]:
        """The mails of the whole seconds that begin in a span."""
        first = -(-since // _STEP) * _STEP
        for second in range(max(first, self._start), until, _STEP):
            for domain in DOMAINS:
                if second >= self._start + domain.begins:
                    yield from self._of(domain, second)

    def told(self, mailing: Mailing) -> list[tuple[int, str]]:
        """What the service tells of a mail that it was given: when, and the text."""
        random = Random(f"{self._seed} fate {mailing.domain.name} {mailing.number}")  # noqa: S311 a world, not a secret
        sent = mailing.at + 50
        if random.random() < mailing.domain.stale:
            return [(sent, _text("Send", mailing, {})), _bounced(mailing, sent + random.randrange(500, 4000))]
        arrived = sent + random.randrange(400, 3000)
        delivery = {
            "timestamp": stamp(arrived),
            "processingTimeMillis": arrived - sent,
            "recipients": [mailing.recipient],
            "smtpResponse": "250 2.0.0 OK queued",
            "reportingMTA": "a1-7.smtp-out.simulated.example",
            "remoteMtaIp": "198.51.100.9",
        }
        told = [
            (sent, _text("Send", mailing, {})),
            (arrived, _text("Delivery", mailing, delivery)),
        ]
        if random.random() < mailing.domain.complaining:
            told.append(_complained(mailing, arrived + random.randrange(5_000, 40_000)))
        return told

    def _of(self, domain: AccountDomain, second: int) -> Iterator[Mailing]:
        random = Random(f"{self._seed} mail {domain.name} {second}")  # noqa: S311 a world, not a secret
        mean = domain.a_minute / 60
        count = int(mean) + (random.random() < mean % 1)
        for place in range(count):
            number = (second - self._start) * 10 + place
            recipient = f"{random.choice(_READERS)}{random.randrange(9999)}@{random.choice(_PLACES)}"
            yield Mailing(second + random.randrange(_STEP), domain, recipient, number)


def _text(kind: str, mailing: Mailing, part: dict[str, Any]) -> str:
    name = mailing.domain.name
    mail = {
        "timestamp": stamp(mailing.at),
        "messageId": f"{mailing.at:016x}-{mailing.number:012d}-000000",
        "source": f"news@{name}",
        "sourceArn": f"arn:aws:ses:eu-central-1:123456789012:identity/{name}",
        "destination": [mailing.recipient],
        "commonHeaders": {"from": [f"news@{name}"], "to": [mailing.recipient], "subject": f"News of {name}"},
    }
    return json.dumps({"eventType": kind, "mail": mail, kind.lower(): part})


def _bounced(mailing: Mailing, at: int) -> tuple[int, str]:
    recipient = {
        "emailAddress": mailing.recipient,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": f"smtp; 550 5.1.1 <{mailing.recipient}>: recipient address rejected: user unknown",
    }
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [recipient],
        "timestamp": stamp(at),
        "feedbackId": f"bounce-{mailing.number}",
    }
    return at, _text("Bounce", mailing, bounce)


def _complained(mailing: Mailing, at: int) -> tuple[int, str]:
    complaint = {
        "complainedRecipients": [{"emailAddress": mailing.recipient}],
        "timestamp": stamp(at),
        "feedbackId": f"complaint-{mailing.number}",
        "complaintFeedbackType": "abuse",
    }
    return at, _text("Complaint", mailing, complaint)
