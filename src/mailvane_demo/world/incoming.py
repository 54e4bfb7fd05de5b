"""Mail that comes to a simulated office: newsletters, invoices, a spam campaign, strangers, too much for a mailbox.

Everything is drawn from one seed, and time is an argument. The relay in front has asked a spam filter already: what it
said stands in the header of each mail, as SpamAssassin writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from random import Random

import msgspec

DOMAIN = "harbour-office.example"
TEAM, BOOKS, ARCHIVE = f"team@{DOMAIN}", f"books@{DOMAIN}", f"archive@{DOMAIN}"
SHOP, INFO = f"shop@{DOMAIN}", f"info@{DOMAIN}"  # aliases of the team's
NEWSLETTER = "news@daily-grocer.example"
BLOCKED = "deals@loud-bargains.example"
FRIEND = "ines@tide-and-sons.example"
_MINUTE, _DAY = 60_000, 86_400_000
_SUPPLIERS = ("billing@northpole-paper.example", "accounts@cable-and-co.example", "invoice@bright-bulbs.example")
_CAMPAIGN = ("prize", "wallet", "parcel", "refund")
_FIRST = ("amber", "boris", "clara", "dmitri", "esme", "felix", "greta", "henrik", "ilse", "jonas", "karla", "leo")


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on its way in."""

    at: int
    sender: str
    name: str
    recipient: str
    subject: str
    score: float

    @property
    def content(self) -> bytes:
        """With CRLF at the ends of lines."""
        mail = EmailMessage()
        spam = "Yes" if self.score >= 5 else "No"
        mail["X-Spam-Status"] = f"{spam}, score={self.score:.1f} required=5.0 tests=[BAYES_50={self.score:.1f}]"
        mail["From"] = f"{self.name} <{self.sender}>"
        mail["To"] = self.recipient
        mail["Subject"] = self.subject
        mail["Message-ID"] = f"<{self.at}.{abs(hash_of(self))}@{self.sender.partition('@')[2]}>"
        mail.set_content(f"Hello,\n\n{self.subject}.\n\n{self.name}\n")
        return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def hash_of(mail: Incoming) -> int:
    """The same for the same mail in every process."""
    return Random(f"{mail.sender} {mail.recipient} {mail.subject}").getrandbits(40)  # noqa: S311 a world, not a secret


def of_days(seed: int, since: int, until: int) -> Iterator[Incoming]:
    """What came on ordinary days, the oldest first."""
    for day in range(since // _DAY * _DAY, until, _DAY):
        random = Random(f"{seed} incoming {day}")  # noqa: S311 a world, not a secret
        found = [
            *(_newsletter(random, day) for _ in range(3)),
            *(_invoice(random, day) for _ in range(random.randrange(3, 7))),
            *(_letter(random, day) for _ in range(random.randrange(4, 9))),
            *(_offer(random, day) for _ in range(random.randrange(0, 3))),
        ]
        yield from (mail for mail in sorted(found, key=lambda each: each.at) if since <= mail.at < until)


def of_today(seed: int, at: int) -> list[Incoming]:
    """A bad hour, as it comes over the wire: a campaign, a flood of strangers, and more than one mailbox can hold."""
    random = Random(f"{seed} incoming today")  # noqa: S311 a world, not a secret
    return [
        *(_newsletter(random, at) for _ in range(2)),
        *(_invoice(random, at) for _ in range(3)),
        *(_spam(random, at, 7 + random.random() * 5) for _ in range(14)),
        *(_spam(random, at, 18 + random.random() * 9) for _ in range(3)),
        *(_stranger(random, at, number) for number in range(20)),
        *(_scan(random, at, number) for number in range(14)),
        _mail(at, BLOCKED, "Loud Bargains", INFO, "Everything must go", 4.0),
        _mail(at, FRIEND, "Ines", TEAM, "Lunch on Thursday?", 6.8),
    ]


def living(seed: int, since: int, until: int) -> Iterator[Incoming]:
    """What comes while somebody watches: a mail every ten seconds or so."""
    for second in range(since // 1000, until // 1000):
        random = Random(f"{seed} incoming second {second}")  # noqa: S311 a world, not a secret
        if random.random() < 0.1:
            kind = random.choice((_newsletter, _invoice, _letter, _letter))
            yield kind(random, second * 1000)


def _newsletter(random: Random, day: int) -> Incoming:
    offer = random.choice(("pears", "cheese", "olives", "bread"))
    return _mail(
        day + 6 * 60 * _MINUTE, NEWSLETTER, "The Daily Grocer", random.choice((SHOP, INFO)), f"Fresh {offer}", 2.1
    )


def _invoice(random: Random, day: int) -> Incoming:
    who = random.choice(_SUPPLIERS)
    return _mail(_some_time(random, day), who, "Accounts", BOOKS, f"Invoice {random.randrange(1000, 9999)}", 0.3)


def _letter(random: Random, day: int) -> Incoming:
    who = random.choice(_FIRST)
    return _mail(
        _some_time(random, day), f"{who}@customers.example", who.title(), TEAM, "A question about my order", 0.8
    )


def _offer(random: Random, day: int) -> Incoming:
    return _mail(_some_time(random, day), BLOCKED, "Loud Bargains", INFO, "Only today", 4.4)


def _spam(random: Random, at: int, score: float) -> Incoming:
    what = random.choice(_CAMPAIGN)
    who = f"{what}{random.randrange(100)}@win-{what}.example"
    return _mail(at, who, "Customer Care", random.choice((SHOP, INFO)), f"Your {what} is waiting", score)


def _stranger(random: Random, at: int, number: int) -> Incoming:
    name = random.choice(_FIRST)
    return _mail(at, f"{name}.{number}@fresh-{number}.example", name.title(), INFO, "Quick question", 3.0)


def _scan(random: Random, at: int, number: int) -> Incoming:
    return _mail(
        at, "scanner@printer.harbour.example", "Scanner", ARCHIVE, f"Scan {number} of {random.randrange(99)}", 0.0
    )


def _mail(at: int, sender: str, name: str, recipient: str, subject: str, score: float) -> Incoming:
    return Incoming(at=at, sender=sender, name=name, recipient=recipient, subject=subject, score=round(score, 1))


def _some_time(random: Random, day: int) -> int:
    return day + random.randrange(8 * 60, 18 * 60) * _MINUTE
