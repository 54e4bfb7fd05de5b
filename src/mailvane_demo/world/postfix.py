"""The whole simulated world: senders, servers, visitors, and the log that comes of them.

The world is made in steps of five minutes, always the same steps, so that it does not matter in which portions its
lines are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from random import Random

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.correspondence import Correspondence, readers_client
from mailvane_demo.world.intruders import Intruders
from mailvane_demo.world.log import Line, Log
from mailvane_demo.world.mail import Letter
from mailvane_demo.world.mail_server import Host, MailServer
from mailvane_demo.world.providers import OWN_MAILBOXES
from mailvane_demo.world.senders import LOOT, OFFICE, SENDERS, pace
from mailvane_demo.world.stamps import LogFormat, dressed
from mailvane_demo.world.truth import Tally, Truth

_STEP = 300_000
_DAY = 86_400_000
_HOSTS = (Host("mx1.mailhub.example", long_ids=True, lifetime=_DAY), Host("mx2", long_ids=False, lifetime=2 * _DAY))
_USUAL_MAILS_A_DAY = 3000.0  # what the figures of all senders come to
_ANSWERS_A_DAY = 120
_PROBES_A_DAY = 6
_VISITORS_A_DAY = 1200
_CRON_HOUR = 3
_THEFT_DAY, _THEFT_BEGIN, _THEFT_END, _STOLEN_MAILS = 19, 7_800_000, 10_500_000, 3000


class Rush(msgspec.Struct, frozen=True):
    """From a time on the world is so many times as busy."""

    since: int
    times: float


class PostfixWorld:
    """Two Postfix servers and everybody who uses them, from `start` on. The same seed makes the same world."""

    def __init__(
        self,
        seed: int,
        start: int,
        mails_per_day: float = 3000,  # on average, about
        rush: Rush | None = None,
        log_format: LogFormat = LogFormat.SYSLOG,
    ) -> None:
        self._seed = seed
        self._start = start
        self._mails_per_day = mails_per_day
        self._rush = rush
        self._format = log_format
        self._begin()

    def lines(self, since: int, until: int) -> Iterator[str]:
        """The log lines from `since`, inclusive, to `until`, exclusive, in the order of time.

        Going on from where the last call ended is cheap. Raises InvalidInput for a time before the world.
        """
        return dressed(self._between(since, until), self._format)

    def truth(self, since: int, until: int) -> Truth:
        """What happened from `since`, inclusive, to `until`, exclusive. Does not disturb `lines`."""
        if until <= self._made_until:
            return self._tally.truth(since, until)
        ahead = PostfixWorld(self._seed, self._start, self._mails_per_day, self._rush)
        for _ in ahead._between(self._start, until):
            pass
        return ahead._tally.truth(since, until)

    def _begin(self) -> None:
        random = self._random = Random(self._seed)  # noqa: S311 a world, not a secret
        tally = self._tally = Tally()
        log = self._log = Log()
        self._made_until = self._start
        self._at = self._start  # all lines before were given out
        self._ready: list[Line] = []
        self._servers = tuple(MailServer(host, log, random, tally) for host in _HOSTS)
        self._outgoing, self._office = self._servers
        self._intruders = tuple(Intruders(server, random, tally) for server in self._servers)
        self._writers = tuple(Correspondence(sender, random) for sender in SENDERS)
        self._thief = Correspondence(LOOT, random)

    def _between(self, since: int, until: int) -> Iterator[Line]:
        if since < self._start:
            raise InvalidInput("the world began later than that")
        if since < self._at:
            self._begin()
        self._at = until
        while True:
            ready = self._ready
            first, last = bisect_left(ready, (since,)), bisect_left(ready, (until,))
            self._ready = ready[last:]
            yield from ready[first:last]
            if self._made_until >= until:
                return
            self._make_step()

    def _make_step(self) -> None:
        begin = self._made_until
        whole = (begin - self._start) % _STEP == 0
        end = begin + _STEP - (begin - self._start) % _STEP
        busy = self._mails_per_day / _USUAL_MAILS_A_DAY
        if self._rush and begin >= self._rush.since:
            busy *= self._rush.times
        elif self._rush:
            end = min(end, self._rush.since)
        for server in self._servers:
            server.new_daemons()
            server.run_queue(end)
        for writer in self._writers:
            sender = writer.sender
            daily = sender.daily * busy * pace(sender.rhythm, begin, self._start)
            self._write(writer, self._moments(begin, end, daily / sender.batch))
        self._steal(begin, end, busy)
        self._answer(begin, end, busy)
        self._visit(begin, end, busy)
        if whole:
            self._run_cron(begin)
        self._made_until = end
        self._ready = self._log.take(end)

    def _moments(self, begin: int, end: int, daily: float) -> Iterator[int]:
        """Moments at random between two times, so many a day on average."""
        if daily <= 0:
            return
        gap, at = self._random.expovariate, float(begin)
        rate = daily / _DAY
        while (at := at + gap(rate)) < end:
            yield int(at)

    def _write(self, writer: Correspondence, moments: Iterator[int]) -> None:
        sender = writer.sender
        server = self._office if sender is OFFICE else self._outgoing
        for at in moments:
            client = writer.client()
            count = 1 if sender.batch == 1 else 1 + int(self._random.random() * 2 * (sender.batch - 0.5))
            server.hand_in(client, [writer.write(client) for _ in range(count)], at)

    def _steal(self, begin: int, end: int, busy: float) -> None:
        """In one night, a stranger sends thousands of mails with a guessed password."""
        day, time = divmod(begin - self._start // _DAY * _DAY, _DAY)
        if day == _THEFT_DAY and _THEFT_BEGIN <= time < _THEFT_END:
            daily = _STOLEN_MAILS * busy * _DAY / (_THEFT_END - _THEFT_BEGIN)
            self._write(self._thief, self._moments(begin, end, daily / LOOT.batch))

    def _answer(self, begin: int, end: int, busy: float) -> None:
        office = self._writers[SENDERS.index(OFFICE)]
        for at in self._moments(begin, end, _ANSWERS_A_DAY * busy * pace(OFFICE.rhythm, begin, self._start)):
            if office.recent:
                letter = office.recent[int(self._random.random() * len(office.recent))]
                self._office.hand_in(readers_client(letter), [office.answer(letter)], at)

    def _visit(self, begin: int, end: int, busy: float) -> None:
        for at in self._moments(begin, end, _PROBES_A_DAY * busy):
            self._office.probe(self._thief.somebody(), at)
        for intruders in self._intruders:
            for at in self._moments(begin, end, _VISITORS_A_DAY * busy / 2):
                intruders.visit(at)

    def _run_cron(self, begin: int) -> None:
        if begin % _DAY // 3_600_000 != _CRON_HOUR or begin % 3_600_000 >= _STEP:
            return
        for server in self._servers:
            root = f"root@{server.name}"
            headers = (
                ("From", "root (Cron Daemon)"),
                ("Subject", f"Cron <root@{server.name.partition('.')[0]}> backup --daily"),
            )
            letter = Letter(root, [Recipient(root, OWN_MAILBOXES)], headers, f"<{begin}.cron@{server.name}>", 740)
            server.submit(letter, begin + 1000)
