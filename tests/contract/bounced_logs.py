"""Logs of mails that bounce or are late, whose senders Postfix tells: as it does, and as it might."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

_HEADER = "info: header Subject: x from x[192.0.2.1]; from=<s@x.example> to=<r@y.example> proto=ESMTP helo=<x>"
_NAMES = ("sender non-delivery", "sender non-delivery", "sender delay", "postmaster non-delivery")
_STATUS = {
    "sent": "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77AB01)",
    "bounced": "dsn=5.1.1, status=bounced (host mx.y.example[203.0.113.9] said: 550 5.1.1 No such user)",
    "deferred": "dsn=4.2.0, status=deferred (host mx.y.example[203.0.113.9] said: 450 4.2.0 Later)",
}  # fmt: skip


def bounced_lines(choose: random.Random, start: int, odd: float | None = None) -> list[str]:
    """Lines from this time on, in ms; mails overlap. So often is something odd; chosen once where it is not given."""
    odd = choose.choice((0.0, 0.02, 0.2)) if odd is None else odd
    moments = [
        (turn * 7 + past, text) for turn in range(choose.randrange(20, 150)) for past, text in _mail(choose, turn, odd)
    ]
    return [_line(start, past, text) for past, text in sorted(moments, key=lambda each: each[0])]


def _line(start: int, past: int, text: str) -> str:
    moment = datetime.fromtimestamp(start // 1000 + past, UTC)
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} mx1 {text}"


def _mail(choose: random.Random, turn: int, odd: float) -> Iterator[tuple[int, str]]:
    def is_odd() -> bool:
        return choose.random() < odd

    own, notice = f"4A{turn:07}A", f"4B{turn:07}B"
    head = "postfix-out/" if is_odd() else "postfix/"
    active = f"{head}qmgr[4]: {own}: {_active(choose, 's@x.example')}"
    mail = [f"{head}smtpd[5]: {own}: client=out.x.example[198.51.100.9]"]
    mail += [f"{head}cleanup[6]: {own}: {_HEADER}"] * choose.randrange(2)
    mail += [f"{head}cleanup[6]: {own}: message-id=<{turn}@x.example>", active]
    turns = choose.choice((1, 1, 2))
    for _ in range(turns):
        mail += [f"{head}smtp[8]: {own}: {_attempt(choose, name)}" for name in ("a", "b")[: choose.choice((1, 1, 2))]]
        mail += [active] if turns > 1 else []
    if choose.random() < 0.8:
        others = (notice, own, f"4A{turn + 1:07}A", f"4B{turn - 1:07}B", "4C0000000C")
        named = choose.choice(others) if is_odd() else notice
        place = choose.randrange(len(mail) + 1) if is_odd() else len(mail)
        daemon = choose.choice(("bounce", "bounce", "trace", "defer"))
        said = f"{head}{daemon}[7]: {own}: {choose.choice(_NAMES)} notification: {named}"
        mail[place:place] = [said] * (2 if is_odd() else 1)
    mail.append(f"{head}qmgr[4]: {own}: removed")
    begins = choose.randrange(len(mail) + 2) if is_odd() else len(mail) - 2
    yield from enumerate(mail)
    yield from enumerate(_notice(choose, notice, is_odd), begins)
    if is_odd():
        yield len(mail) + 30, f"{head}smtp[8]: {choose.choice((own, notice))}: {_attempt(choose, 'late')}"


def _notice(choose: random.Random, queue_id: str, is_odd: Callable[[], bool]) -> list[str]:
    """What Postfix wrote to a sender, on its way."""
    name = f"{queue_id}.x" if is_odd() else queue_id
    lines = [f"postfix/smtpd[5]: {queue_id}: client=localhost[127.0.0.1]"] if is_odd() else []
    lines += [f"postfix/cleanup[6]: {queue_id}: {_HEADER}"] if is_odd() else []
    lines.append(f"postfix/cleanup[6]: {queue_id}: message-id=<{'other' if is_odd() else name}@mx1>")
    sender = choose.choice(("double-bounce@mx1", "s@x.example")) if is_odd() else ""
    lines.append(f"postfix/qmgr[4]: {queue_id}: {_active(choose, sender)}")
    attempts = range(choose.choice((1, 1, 2)))
    lines += [f"postfix/smtp[{choose.randrange(8, 10)}]: {queue_id}: {_attempt(choose, 's')}" for _ in attempts]
    return [*lines, *([] if is_odd() else [f"postfix/qmgr[4]: {queue_id}: removed"])]


def _active(choose: random.Random, sender: str) -> str:
    return f"from=<{sender}>, size={choose.randrange(1, 9)}, nrcpt=1 (queue active)"


def _attempt(choose: random.Random, name: str) -> str:
    said = _STATUS[choose.choice(tuple(_STATUS))]
    return f"to=<{name}@y.example>, relay=mx.y.example[203.0.113.9]:25, delay=1, delays=0/0/0/1, {said}"
