"""Hours in which a channel is not told: from one time of the day to another, in a time zone. Pure.

Where the clock is put forward or back within them, they are never shorter than told: of a time that comes twice, the
beginning is the first and the end the second; of one that is left out, it is the other way round.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class QuietHours(msgspec.Struct, frozen=True):
    """Every day; over midnight when the end is earlier than the beginning."""

    begin: time
    end: time
    zone: ZoneInfo

    def until(self, now: int) -> int:
        """When they end, if it is within them (milliseconds since the epoch); 0 if not."""
        today = datetime.fromtimestamp(now / 1000, self.zone).date()
        for day in (today - timedelta(1), today, today + timedelta(1)):
            last = day if self.end > self.begin else day + timedelta(1)
            if min(self._moments(day, self.begin)) <= now < (end := max(self._moments(last, self.end))):
                return end
        return 0

    def _moments(self, day: date, at: time) -> tuple[int, int]:
        """The two readings of a local time (PEP 495); they differ where the clock is put forward or back."""
        local = datetime.combine(day, at, self.zone)
        both = (local, local.replace(fold=1))
        return tuple(int(each.astimezone(UTC).timestamp() * 1000) for each in both)  # type: ignore[return-value]


def read_quiet_hours(begin: str, end: str, zone: ZoneInfo) -> QuietHours | None:
    """None for none. Raises InvalidInput."""
    if not begin and not end:
        return None
    first, last = _time(begin), _time(end)
    if first == last:
        raise InvalidInput("quiet hours that begin when they end: a channel that is never told is better removed")
    return QuietHours(first, last, zone)


def _time(text: str) -> time:
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidInput(f"expected a time of the day such as 22:00 instead of {text[:20]!r}")
    return time(int(found[1]), int(found[2]))
