"""What other limits would have stopped of the mail that was asked to pass, minute by minute. Pure.

Plain limits only: what a limit stops does not count against the next minute, as in a real decision. Mails of a minute
are taken one unit at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import month_of
from mailvane.outbound.model import Domain, MinuteOfDecisions, Reason, hourly_cap


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits to try. None: the domain's own."""

    daily: int | None = None
    monthly: int | None = None
    hourly_fraction: float | None = None


class StoppedDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day on which mail would have been stopped."""

    day: int  # its start, likewise below: milliseconds since the epoch
    first: int  # the first minute in which a mail would have been stopped
    reason: Reason  # of that one
    asked: int
    stopped: int


class AskedDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day on which mail was asked to pass, whole."""

    day: int
    asked: int
    stopped: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    domain: str
    daily: int
    monthly: int
    hourly_fraction: float
    asked: int
    passed_then: int  # what was really allowed
    stopped: int
    from_log: int = 0  # of what was asked for, known from the mail log only: from before decisions were recorded
    days: tuple[StoppedDay, ...]  # those with stopped mail, the oldest first
    every_day: tuple[AskedDay, ...] = ()  # those with any mail, the oldest first


def replay(domain: Domain, minutes: Iterable[MinuteOfDecisions], limits: Limits, since: int) -> Replay:
    """Minutes before `since` only fill the month's counter."""
    bench = _Bench(
        domain.daily_limit if limits.daily is None else limits.daily,
        domain.monthly_limit if limits.monthly is None else limits.monthly,
        domain.hourly_fraction if limits.hourly_fraction is None else limits.hourly_fraction,
    )
    asked = passed_then = 0
    days: dict[int, StoppedDay] = {}
    every_day: dict[int, list[int]] = {}  # asked and stopped
    for minute in minutes:
        stopped, reason = bench.take(minute)
        if minute.minute < since:
            continue
        asked += minute.asked
        passed_then += minute.allowed
        whole = every_day.setdefault(minute.minute // DAY_MS * DAY_MS, [0, 0])
        whole[0] += minute.asked
        whole[1] += stopped
        if reason is not None:
            start = minute.minute // DAY_MS * DAY_MS
            known = days.get(start)
            if known is None:
                known = StoppedDay(day=start, first=minute.minute, reason=reason, asked=0, stopped=0)
            days[start] = msgspec.structs.replace(
                known, asked=known.asked + minute.asked, stopped=known.stopped + stopped
            )
    return Replay(
        domain=domain.name,
        daily=bench.daily,
        monthly=bench.monthly,
        hourly_fraction=bench.hourly_fraction,
        asked=asked,
        passed_then=passed_then,
        stopped=sum(day.stopped for day in days.values()),
        days=tuple(days.values()),
        every_day=tuple(AskedDay(day=day, asked=each[0], stopped=each[1]) for day, each in sorted(every_day.items())),
    )


class _Bench:
    """The counters of the replay."""

    def __init__(self, daily: int, monthly: int, hourly_fraction: float) -> None:
        self.daily = daily
        self.monthly = monthly
        self.hourly_fraction = hourly_fraction
        self._hourly = hourly_cap(daily, hourly_fraction)
        self._sent: dict[Reason, tuple[int, int]] = {}

    def take(self, minute: MinuteOfDecisions) -> tuple[int, Reason | None]:
        """How many of the minute's mails are stopped, and why the first of them is."""
        hour = minute.minute // HOUR_MS
        rooms = [
            self._room(Reason.MONTHLY, month_of(hour), self.monthly),
            self._room(Reason.DAILY, hour // 24, self.daily),
            self._room(Reason.HOURLY, hour, self._hourly),
        ]
        allowed = min([minute.asked, *(room for room, _ in rooms if room is not None)])
        for reason, (key, sent) in self._sent.items():
            self._sent[reason] = (key, sent + allowed)
        stopped = minute.asked - allowed
        return stopped, next((reason for room, reason in rooms if room == allowed), None) if stopped else None

    def _room(self, reason: Reason, key: int, limit: int) -> tuple[int | None, Reason]:
        known, sent = self._sent.get(reason, (key, 0))
        sent = sent if known == key else 0
        self._sent[reason] = (key, sent)
        return (max(0, limit - sent) if limit else None), reason
