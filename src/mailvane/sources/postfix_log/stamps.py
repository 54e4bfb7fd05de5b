"""Time stamps of log lines, as milliseconds since the epoch. Two forms: RFC 3164 and RFC 3339.

RFC 3164 stamps carry no year and no zone. The zone is an argument; the year is the latest that does not put the stamp
more than a day after the reference time, which is a moment at which the line is known to have been written already.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_LEAP_CYCLE = 8  # years between two 29ths of February, at most
_CACHED_MINUTES = 20_000


class Stamps:
    """Reads stamps against one reference time. Repeated minutes are looked up, not computed."""

    def __init__(self, reference: int, zone: ZoneInfo | None = None) -> None:
        self.reference = reference
        self.zone = zone or ZoneInfo("UTC")
        self._latest = _EPOCH + timedelta(milliseconds=reference) + _DAY
        self._minutes: dict[str, int | None] = {}

    def syslog(self, stamp: str) -> int | None:
        """The time of an RFC 3164 stamp such as `Oct  1 07:00:59`, or None."""
        if len(stamp) != 15 or stamp[12] != ":":
            return None
        minute = self._minute(stamp[:12])
        seconds = stamp[13:]
        if minute is None or not (seconds.isdecimal() and seconds.isascii()) or seconds > "60":
            return None
        return minute + int(seconds) * 1000

    def internet(self, stamp: str) -> int | None:
        """The time of an RFC 3339 stamp; one without a zone is read in the zone of the log. None if it is not one."""
        if len(stamp) < 19 or stamp[4] != "-":
            return None
        try:
            moment = datetime.fromisoformat(stamp)
            return (self._in_zone(moment) - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            return None

    def _in_zone(self, moment: datetime) -> datetime:
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def _minute(self, text: str) -> int | None:
        try:
            return self._minutes[text]
        except KeyError:
            pass
        if len(self._minutes) >= _CACHED_MINUTES:
            self._minutes.clear()
        return self._minutes.setdefault(text, self._compute_minute(text))

    def _compute_minute(self, text: str) -> int | None:
        month = _MONTHS.get(text[:3])
        day, hour, minute = text[4:6].lstrip(), text[7:9], text[10:12]
        shape = text[3] == text[6] == " " and text[9] == ":" and (day + hour + minute).isdecimal() and text.isascii()
        if month is None or not shape or not day or len(hour + minute) != 4:
            return None
        for year in range(self._latest.year, self._latest.year - _LEAP_CYCLE - 1, -1):
            try:
                moment = datetime(year, month, int(day), int(hour), int(minute), tzinfo=self.zone)
            except ValueError:
                continue
            if moment <= self._latest:
                return (moment.astimezone(UTC) - _EPOCH) // _MILLISECOND
        return None
