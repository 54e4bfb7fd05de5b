"""A simulated outreach team: mailboxes that write to people who never asked, and what those do with it.

Some open, some only by the machines of their mail service; some click, a scanner clicks on everything at once; a few
answer, of whom some are glad, and some are only away. One mailbox has a stale list. Everything is drawn from one seed,
and time is an argument. What comes out are mail events in the form of Mailvane's intake.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

DOMAIN = "brightleads.example"
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_WORKING = range(7, 18)  # hours, UTC
_CAMPAIGNS = ("spring offer", "autumn webinar")
_COMPANIES = ("northmill.example", "tallow.example", "hexworks.example", "oakandpine.example", "riverside.example")
_PEOPLE = ("ada", "ben", "cleo", "dev", "elif", "finn", "gwen", "hugo", "ivy", "jan", "kofi", "lena")
Event = dict[str, Any]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the team; shares are of the mails that arrive."""

    name: str
    a_day: int
    opened: float
    replied: float
    stale: float = 0.015  # share of addresses that do not exist

    @property
    def address(self) -> str:
        return f"{self.name}@{DOMAIN}"


TEAM = (
    Member(name="amira", a_day=45, opened=0.52, replied=0.07),
    Member(name="bastien", a_day=40, opened=0.38, replied=0.04),
    Member(name="chidi", a_day=48, opened=0.47, replied=0.055),
    Member(name="dagny", a_day=20, opened=0.61, replied=0.09),
    Member(name="emre", a_day=50, opened=0.12, replied=0.008, stale=0.11),
)


class OutreachTeam:
    """The same seed makes the same team."""

    def __init__(self, seed: int, relay: int) -> None:
        self._seed = seed
        self._relay = relay

    def mails(self, since: int, until: int, rush: float = 1.0) -> Iterator[list[Event]]:
        """Each mail that was sent in a span, with all that will come of it, oldest first; of working hours only.

        In a rush they work at all hours, so many times as fast.
        """
        for minute in range(since // _MINUTE * _MINUTE, until, _MINUTE):
            if minute % _DAY // _HOUR not in _WORKING and rush == 1.0:
                continue
            for member in TEAM:
                random = Random(f"{self._seed} outreach {member.name} {minute}")  # noqa: S311 a world, not a secret
                mean = rush * member.a_day * _MINUTE / (len(_WORKING) * _HOUR)
                for _ in range(int(mean) + (random.random() < mean % 1)):
                    mail = self._mail(member, minute + random.randrange(_MINUTE), random)
                    if since <= mail[0]["time"] < until:
                        yield mail

    def _mail(self, member: Member, at: int, random: Random) -> list[Event]:
        step = random.choice((0, 0, 0, 1, 1, 2))
        recipient = f"{random.choice(_PEOPLE)}{random.randrange(999)}@{random.choice(_COMPANIES)}"
        facts = {"campaign": random.choice(_CAMPAIGNS), "step": step, "sender": f"bounce@{DOMAIN}"}
        if random.random() < 0.2:
            facts["sequence"] = "second thoughts"
        story = [(0, "accepted", facts | {"header_from": member.address, "subject": "A question about your team"})]
        if random.random() < member.stale:
            story.append((1500, "bounced", {"code": 550, "reply": "550 5.1.1 There is nobody of this name"}))
        else:
            story.append((random.randrange(400, 3000), "delivered", {"code": 250, "reply": "250 2.0.0 Ok"}))
            story += _reactions(member, random)
        mail = f"{member.name}-{at}"
        return [self._event(mail, place, recipient, at, *each) for place, each in enumerate(sorted(story, key=_when))]

    def _event(self, mail: str, place: int, recipient: str, at: int, *told: Any) -> Event:
        later, kind, more = told
        event: Event = {"id": f"outreach-{mail}-{place}", "type": kind, "mail": mail, "relay": self._relay}
        event |= {"time": at + later, "accepted_at": at, "recipient": recipient}
        event |= more
        return event


def _when(each: tuple[int, str, Event]) -> int:
    return each[0]


def _reactions(member: Member, random: Random) -> list[tuple[int, str, Event]]:
    """What the recipient does, and what machines do before."""
    found: list[tuple[int, str, Event]] = []
    if random.random() < 0.35:  # a privacy proxy loads every picture
        found.append((random.randrange(5_000, 30_000), "opened", {"automatic": True}))
    if random.random() < 0.08:  # a scanner follows every link
        found.append((random.randrange(3_500, 9_000), "clicked", {"automatic": True}))
    if random.random() < 0.02:
        found.append((random.randrange(4_000, 60_000), "replied", {"automatic": True}))
    if random.random() >= member.opened:
        return found
    opened = random.randrange(2 * _MINUTE, 30 * _HOUR)
    found.append((opened, "opened", {}))
    if random.random() < 0.18:
        found.append((opened + random.randrange(4_000, 90_000), "clicked", {}))
    if random.random() < member.replied / member.opened:
        replied = opened + random.randrange(_MINUTE, 20 * _HOUR)
        found.append((replied, "replied", {}))
        found.append((replied + 30 * _MINUTE, "tagged", {"positive": random.random() < 0.45}))
    elif random.random() < 0.02:
        found.append((opened + 5_000, "unsubscribed", {}))
    return found
