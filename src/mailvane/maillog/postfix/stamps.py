"""Time stamps of log lines, as milliseconds since the epoch. Two forms: RFC 3164 and RFC 3339.

RFC 3164 stamps carry no year and no zone. The zone is an argument. The year is told by the line before: it is the one
that puts the stamp nearest to it. Without a line before, it is the latest that does not put the stamp more than a day
after the reference time, which is a moment at which the line is known to have been written already.

Where clocks are put back, an hour comes twice. A stamp of it is of the second time when the first would put it before
the line before. A stamp of the hour that is left out where clocks are put forward is read with the offset of before.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mailvane.core.moments import HOUR_MS, MINUTE_MS

_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
LEAP_CYCLE = 8  # years between two 29ths of February, at most
EARLIEST = 631_152_000_000  # 1990-01-01; ours: an older time is a broken one
_LATEST = 7_258_118_400_000  # 2200-01-01; ours: likewise
_CACHED_MINUTES = 20_000
_DISORDER = MINUTE_MS  # milliseconds by which lines of several programs may stand in the wrong order
_TWO_HOURS = 2 * HOUR_MS


class Stamps:
    """Reads stamps against one reference time. Repeated minutes are looked up, not computed."""

    def __init__(
        self, reference: int, zone: ZoneInfo | None = None, near: int | None = None, repeated: int = 0
    ) -> None:
        self.reference = reference
        self.zone = zone or ZoneInfo("UTC")
        self.near = near  # the time of a line not long before the next one, if one is known
        self.repeated = repeated  # the newest time in an hour that came twice
        self.after = 0  # the next line was written after this moment
        self.horizon = _LATEST  # what is stamped later is not understood
        self.lasting = True  # whether the stamp read last means the same wherever it comes again within its month
        self._latest = _EPOCH + timedelta(milliseconds=reference) + _DAY
        self._minutes: dict[str, int | None] = {}
        self._twice: dict[str, tuple[int, int]] = {}
        self._years: dict[str, date | None] = {}
        self._month = ""

    def syslog(self, stamp: str) -> int | None:
        """The time of an RFC 3164 stamp such as `Oct  1 07:00:59`, or None."""
        if len(stamp) != 15 or stamp[12] != ":":
            return None
        minute = self._minute(stamp[:12])
        seconds = stamp[13:]
        if minute is None or not (seconds.isdecimal() and seconds.isascii()) or seconds > "60":
            return None
        twice = self._twice.get(stamp[:12])
        self.lasting = twice is None
        past = int(seconds) * 1000
        time = minute + past if twice is None else self._either(twice[0] + past, twice[1] + past)
        if not self.possible(time):
            return None
        self.near = time
        return time

    def possible(self, time: int) -> bool:
        """Whether a line can have been written then."""
        return EARLIEST <= time <= self.horizon

    def new_month(self, stamp: str) -> bool:
        """Whether an RFC 3164 stamp is of another month than the one before: what was learnt may be of another year."""
        return stamp[:3] != self._month and stamp[:3] in MONTHS

    def internet(self, stamp: str) -> int | None:
        """The time of an RFC 3339 stamp; one without a zone is read in the zone of the log. None if it is not one."""
        if len(stamp) < 19 or stamp[4] != "-":
            return None
        try:
            moment = datetime.fromisoformat(stamp)
            time = self._local(moment) if moment.tzinfo is None else (moment - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            return None
        if not EARLIEST <= time <= self.horizon:
            return None
        self.near = time
        return time

    def _local(self, moment: datetime) -> int:
        first, second = self._times(moment)
        return first if second <= first else self._either(first, second)

    def _times(self, moment: datetime) -> tuple[int, int]:
        """When the clocks of the zone show this, the first time and the second."""
        shown = moment.replace(tzinfo=self.zone)
        return (shown - _EPOCH) // _MILLISECOND, (shown.replace(fold=1) - _EPOCH) // _MILLISECOND

    def _either(self, first: int, second: int) -> int:
        """Which of two times that clocks show alike, by the line before and the moment of reading."""
        newest = self.repeated if abs(second - self.repeated) <= _TWO_HOURS else 0
        came_before = first < max(newest, self.after) - _DISORDER
        time = second if came_before and second <= self.reference + _DISORDER else first
        self.repeated = max(newest, time)
        return time

    def _minute(self, text: str) -> int | None:
        if self.new_month(text):
            self._minutes.clear()
            self._twice.clear()
            self._years.clear()
            self._month = text[:3]
        try:
            return self._minutes[text]
        except KeyError:
            pass
        if len(self._minutes) >= _CACHED_MINUTES:
            self._minutes.clear()
            self._twice.clear()
        return self._minutes.setdefault(text, self._compute_minute(text))

    def _compute_minute(self, text: str) -> int | None:
        hour, minute = text[7:9], text[10:12]
        if text[6] != " " or text[9] != ":" or not (hour + minute).isdecimal() or not text.isascii():
            return None
        if text[:6] not in self._years:
            self._years[text[:6]] = self._day(text[:6])
        day = self._years[text[:6]]
        if day is None or len(hour + minute) != 4:
            return None
        try:
            first, second = self._times(datetime(day.year, day.month, day.day, int(hour), int(minute)))  # noqa: DTZ001
        except (ValueError, OverflowError):
            return None
        if second > first:
            self._twice[text] = first, second
        return first

    def _day(self, text: str) -> date | None:
        """The day that `Oct  1` is, in the year that fits."""
        month, day = MONTHS.get(text[:3]), text[4:6].lstrip()
        if month is None or text[3] != " " or not day.isdecimal():
            return None
        latest = self._latest.astimezone(self.zone).date()
        around = (
            latest
            if self.near is None
            else min(latest, (_EPOCH + timedelta(milliseconds=self.near)).astimezone(self.zone).date())
        )
        found = [each for year in _years_around(around.year) if (each := day_of(year, month, int(day))) is not None]
        found = [each for each in found if each <= latest]
        if self.near is None:
            return max(found, default=None)
        return min(found, key=lambda each: abs(each - around), default=None)


def day_of(year: int, month: int, day: int) -> date | None:
    """That day, if the year has it."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _years_around(year: int) -> range:
    return range(max(1, year - LEAP_CYCLE), year + LEAP_CYCLE + 1)
