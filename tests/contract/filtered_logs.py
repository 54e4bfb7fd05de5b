"""Logs of a relay whose mail goes through a content filter: pairs of queue ids, in all the ways in which they meet."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

_START = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
_RETRY = 600_000
_SENT = "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {answer})"
_SAID = "host mx.isp.example[203.0.113.9] said: "
_DEFERRED = f"dsn=4.2.0, status=deferred ({_SAID}450 4.2.0 <{{to}}>: Greylisted (in reply to RCPT TO command))"
_BOUNCED = f"dsn=5.1.1, status=bounced ({_SAID}550 5.1.1 <{{to}}>: unknown (in reply to RCPT TO command))"


class FilteredLog:
    """Writes one log. `often`: how likely each thing is that is not as usual."""

    def __init__(self, choose: random.Random, often: float) -> None:
        self._choose = choose
        self._often = often
        self._lines: list[tuple[int, int, str]] = []
        self._gone: list[tuple[int, str]] = []  # queue ids, and when they were removed
        self._last_id = "<none@shop.example>"

    def lines(self, mails: int) -> list[str]:
        at = 0
        for number in range(mails):
            at += self._choose.randrange(4000)
            self._mail(number, at)
        if not self._seldom(2):
            self._say(at + 3 * _RETRY, "anvil", "statistics: max cache size 1 at x")
        ordered = [heappop(self._lines) for _ in range(len(self._lines))]
        return [f"{_START + timedelta(milliseconds=at):%b %e %H:%M:%S} {text}" for at, _, text in ordered]

    def _seldom(self, times: float = 1.0) -> bool:
        return self._choose.random() < self._often * times

    def _say(self, at: int, daemon: str, text: str) -> None:
        host = "mx2" if daemon.endswith("@2") else "mx1"
        process = 100 + len(daemon) + (self._choose.randrange(3) if self._seldom() else 0)
        heappush(self._lines, (at, len(self._lines), f"{host} postfix/{daemon.removesuffix('@2')}[{process}]: {text}"))

    def _queue_id(self, at: int) -> str:
        gone = [name for removed, name in self._gone if removed < at]
        if gone and self._seldom():
            return self._choose.choice(gone)
        return f"{self._choose.randrange(1 << 20):05X}{len(self._lines):06X}"

    def _mail(self, number: int, at: int) -> None:
        """What a client hands in."""
        choose = self._choose
        first = self._queue_id(at)
        message_id = self._last_id if self._seldom() else f"<{number}@shop.example>"
        self._last_id = message_id
        sender = "" if self._seldom() else f"s+{number}@shop.example"
        to = [f"R{number}.{index}@ISP.example" for index in range(choose.choice((1, 1, 1, 2, 3)))]
        self._say(at, "smtpd", f"{first}: client=out.shop.example[198.51.100.9]")
        headers = choose.random() < 0.5
        active = self._taken(first, at, message_id, sender, to, headers=headers)
        if choose.random() < 0.3:
            self._delivered(first, active, to)
            return
        self._filtered(first, active, message_id, sender, to, headers=headers)

    def _taken(self, queue_id: str, at: int, message_id: str, sender: str, to: list[str], *, headers: bool) -> int:
        """Cleanup and the queue manager; when it became active."""
        at += self._choose.randrange(1, 30)
        for name, value in (("Subject", f"on {message_id[1:5]}"), ("From", f"Shop <{sender or 'x@shop.example'}>")):
            if headers and not self._seldom():
                self._say(
                    at, "cleanup", f"{queue_id}: info: header {name}: {value} from x[192.0.2.1]; from=<{sender}>"
                    f" to=<{to[-1]}> proto=ESMTP helo=<x>"
                )  # fmt: skip
        self._say(at, "cleanup", f"{queue_id}: message-id={message_id}")
        at += self._choose.randrange(1, 30)
        size = 0 if self._seldom() else 2048
        self._say(at, "qmgr", f"{queue_id}: from=<{sender}>, size={size}, nrcpt={len(to)} (queue active)")
        return at

    def _filtered(self, first: str, at: int, message_id: str, sender: str, to: list[str], *, headers: bool) -> None:
        """The filter gives it back under one queue id, or a few."""
        choose = self._choose
        forwards = choose.random() < 0.5
        parts = [[one] for one in to] if self._seldom() else [to]
        if self._seldom():
            sender = sender.replace("+", "+again-")
        answered = at
        for part in parts:
            begun = at + choose.randrange(5, 900) + (400_000 if self._seldom() else 0)
            second = self._queue_id(begun)
            more = f", orig_queue_id={first}, orig_client=x[192.0.2.1]:25" if forwards else ""
            daemon = "smtpd@2" if self._seldom(0.3) else "smtpd"
            self._say(begun, daemon, f"{second}: client=localhost[127.0.0.1]{more}")
            named = f"<other.{message_id[1:]}" if self._seldom() else message_id
            active = self._taken(second, begun, named, sender, part, headers=headers and choose.random() < 0.5)
            # The answer may come before the queue manager looks at the mail, and after its first delivery.
            answered = max(answered, active + choose.choice((-10, 5, 5, 5, 300 if self._seldom(4) else 5)))
            for one in part:
                if not self._seldom():
                    self._say(
                        answered, "smtp", f"{first}: to=<{one}>, relay=127.0.0.1[127.0.0.1]:10024, delay=1,"
                        f" delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025):"
                        f" 250 2.0.0 Ok: queued as {second})"
                    )  # fmt: skip
            given = [one.replace("R", "alias") for one in part] if self._seldom() else part
            self._delivered(second, active + choose.randrange(20, 400), given)
        self._removed(first, answered + choose.randrange(3))

    def _delivered(self, queue_id: str, at: int, to: list[str]) -> None:
        choose = self._choose
        put_off = [one for one in to if self._seldom(2)]
        for one in to:
            self._tried(queue_id, at, one, _DEFERRED if one in put_off else choose.choice((_SENT, _SENT, _BOUNCED)))
        if put_off:
            at += _RETRY
            self._say(at, "qmgr", f"{queue_id}: from=<again@shop.example>, size=9, nrcpt=1 (queue active)")
            for one in put_off:
                self._tried(queue_id, at + 50, one, _SENT)
        self._removed(queue_id, at + 100)

    def _tried(self, queue_id: str, at: int, to: str, said: str) -> None:
        relay = "relay=mx.isp.example[203.0.113.9]:25, delay=1.5, delays=0/0/0/1, "
        answer = f"{self._choose.randrange(1 << 40):010X}"
        self._say(at, "smtp", f"{queue_id}: to=<{to}>, {relay}{said.format(to=to, answer=answer)}")

    def _removed(self, queue_id: str, at: int) -> None:
        self._say(at, "qmgr", f"{queue_id}: removed")
        self._gone.append((at, queue_id))


def filtered_lines(choose: random.Random) -> list[str]:
    return FilteredLog(choose, choose.choice((0.0, 0.02, 0.1))).lines(choose.randrange(5, 120))
