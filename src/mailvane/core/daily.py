"""When the report of a day is due: the hour of the settings has come in their time zone, summer and winter.

What is reported, and that it is posted once only, is the affair of whoever is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.periodic import every

# The clock is looked at, not counted on: machines sleep, and their clocks are set.
LOOK_SECONDS = 20.0


class Day(msgspec.Struct, frozen=True):
    """A day of a time zone, from `since` to before `until`: not always 24 hours."""

    name: str  # 2026-11-20
    zone: str
    since: int
    until: int


class Daily:
    """Calls once for each day; again after a restart, and again while calling fails."""

    def __init__(
        self, hour: int, timezone: str, post: Callable[[Day, int], Awaitable[object]], clock: Callable[[], int]
    ) -> None:
        self._hour = hour
        self._zone = ZoneInfo(timezone)
        self._post = post
        self._clock = clock
        self._told = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        await every(LOOK_SECONDS, "making the daily report", self.look)

    async def look(self) -> None:
        now = self._clock()
        day = last_due(now, self._hour, self._zone)
        if day.name != self._told:
            await self._post(day, now)
            self._told = day.name


def last_due(now: int, hour: int, zone: ZoneInfo) -> Day:
    """The newest day whose report is due: yesterday, and before the hour the day before it."""
    today = datetime.fromtimestamp(now / 1000, zone).date()
    # An hour that is skipped in spring comes when the clocks have jumped; one that comes twice counts at first.
    told = today - timedelta(days=1 if now >= _ms(today, hour, zone) else 2)
    return Day(told.isoformat(), zone.key, _ms(told, 0, zone), _ms(told + timedelta(days=1), 0, zone))


def days_before(day: Day, count: int) -> list[Day]:
    """So many days before that one, the oldest first."""
    zone, named = ZoneInfo(day.zone), date.fromisoformat(day.name)
    found = []
    for back in range(count, 0, -1):
        one = named - timedelta(days=back)
        found.append(Day(one.isoformat(), day.zone, _ms(one, 0, zone), _ms(one + timedelta(days=1), 0, zone)))
    return found


def _ms(day: date, hour: int, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(hour), zone).timestamp() * 1000)
