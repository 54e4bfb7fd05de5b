"""`DateOrTimestamp`: Unix seconds, or a date as PHP's `strtotime` reads it, turned into a moment. No clock in here.

Text of digits alone is always a timestamp. A date without a zone is in the server's zone. A bare date starts at its
midnight, so `startDate=2024-01-31` takes in the whole day. For `endDate` upstream reads the same midnight and so leaves
out nearly all of a day that its own manual calls the "latest date to include", and whose example makes
`endDate=2024-01-31` the same as 23:59:59 of that day.
# ours: text that names a day and no time ends with that day's last second. A text with a time is taken literally.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dateparser
import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.maillog import strtotime

MAX_SECONDS = 9_999_999_999

_NUMBER = re.compile(r"([+-]?\d{1,30})(?:\.\d*)?", re.ASCII)
_WORD = re.compile(r"[^\W\d_]{3}")
_MAX_LENGTH = 100
_LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl"]


class Moment(msgspec.Struct, frozen=True):
    """A second, and whether the text meant the day that starts with it."""

    seconds: int
    names_day: bool = False
    next_day: int = 0  # where the named day ends


def earliest(text: str, now: int, zone: ZoneInfo) -> int:
    """The first millisecond that a `startDate` takes in.

    Raises InvalidInput.
    """
    return _within_range(moment(text, now, zone).seconds) * 1000


def latest(text: str, now: int, zone: ZoneInfo) -> int:
    """The last millisecond that an `endDate` takes in: the API compares whole seconds.

    Raises InvalidInput.
    """
    said = moment(text, now, zone)
    last = said.next_day - 1 if said.names_day else said.seconds
    return _within_range(last) * 1000 + 999


def moment(text: str, now: int, zone: ZoneInfo) -> Moment:
    """What the text means when it is `now` (milliseconds) in `zone`.

    Raises InvalidInput.
    """
    text = text.strip()
    number = _NUMBER.fullmatch(text)
    if number:
        seconds = int(number[1])
        if not 0 <= seconds <= MAX_SECONDS:
            raise InvalidInput("a timestamp is a number of seconds from 0 to 9999999999")
        return Moment(seconds)
    if not text or len(text) > _MAX_LENGTH:
        raise InvalidInput("not a date")
    try:
        return _resolve(strtotime.read(text), now, zone)
    except strtotime.UnknownPhrase:
        return _parsed_by_library(text, now, zone)
    except (OverflowError, ValueError):
        raise InvalidInput("the date is out of range") from None


def _within_range(seconds: int) -> int:
    return min(max(seconds, 0), MAX_SECONDS)


def _resolve(reading: strtotime.Reading, now: int, zone: ZoneInfo) -> Moment:
    place = reading.zone or zone
    base = now // 1000 if reading.timestamp is None else reading.timestamp
    today = datetime.fromtimestamp(base, UTC).astimezone(place)
    day = _day(reading, today.date())
    midnight = datetime(day.year, day.month, day.day, tzinfo=place)
    names_day = reading.names_day and reading.time is None and not reading.seconds
    if reading.time is not None:
        hour, minute, second = reading.time
    elif reading.at_midnight:
        hour = minute = second = 0
    else:
        hour, minute, second = today.hour, today.minute, today.second
    local = midnight + timedelta(hours=hour, minutes=minute, seconds=second)
    return Moment(
        _shifted(local, today, reading),
        names_day,
        int((midnight + timedelta(days=1)).timestamp()) if names_day else 0,
    )


def _shifted(local: datetime, today: datetime, reading: strtotime.Reading) -> int:
    """Hours that are added to a date are those of its clock, as PHP counts them.

    # ours: those that are added to now pass, summer time or not.
    """
    if reading.time is None and not reading.at_midnight:
        is_now = local.replace(tzinfo=None) == today.replace(tzinfo=None)
        return (int(today.timestamp()) if is_now else _epoch(local)) + reading.seconds
    return _epoch(local + timedelta(seconds=reading.seconds))


def _epoch(local: datetime) -> int:
    """An hour that comes twice is the second one; one that is skipped is as long after the clocks have jumped."""
    return int(max(local.replace(fold=fold).timestamp() for fold in (0, 1)))


def _day(reading: strtotime.Reading, today: date) -> date:
    year, month, number = reading.date or (None, None, None)
    start = today.replace(
        year=today.year if year is None else year, month=today.month if month is None else month, day=1
    )
    offset = (today.day if number is None else number) - 1
    if reading.edge and reading.week_shift is not None:
        edge = _add_months(start, 1) - timedelta(days=1) if reading.edge == "last" else start
        start = (edge + timedelta(weeks=reading.week_shift, days=-edge.weekday())).replace(day=1)
    if reading.edge == "first":
        return _add_months(start, reading.months) + timedelta(days=reading.days)
    if reading.edge == "last":
        return _add_months(start, reading.months + 1) + timedelta(days=reading.days - 1)
    if reading.nth_weekday:
        return _nth_weekday(_add_months(start, reading.months), *reading.nth_weekday) + timedelta(days=reading.days)
    weeks = timedelta(weeks=reading.week_shift or 0)
    if reading.weekday is None:
        day = _add_months(start, reading.months) + timedelta(days=offset + reading.days) + weeks
        if reading.week_shift is not None:
            day -= timedelta(days=day.weekday())
        return _add_workdays(day, reading.workdays)
    day = _to_weekday(start + timedelta(days=offset), reading)
    return _add_months(day.replace(day=1), reading.months) + timedelta(days=day.day - 1 + reading.days) + weeks


def _add_months(first: date, months: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _add_workdays(day: date, count: int) -> date:
    step = -1 if count < 0 else 1
    weeks, left = divmod(abs(count), 5)
    day += timedelta(weeks=step * weeks)
    while left or (count and day.weekday() > 4):
        day += timedelta(days=step)
        left -= left > 0 and day.weekday() <= 4
    return day


def _to_weekday(day: date, reading: strtotime.Reading) -> date:
    weekday, steps = reading.weekday or (0, 0)
    if reading.week_shift is not None:
        return day + timedelta(days=weekday - day.weekday())
    forward = (weekday - day.weekday()) % 7
    if steps == 0:
        return day + timedelta(days=forward)
    if steps > 0:
        return day + timedelta(days=(forward or 7) + 7 * (steps - 1))
    backward = (day.weekday() - weekday) % 7
    return day - timedelta(days=(backward or 7) + 7 * (-steps - 1))


def _nth_weekday(first: date, which: int, weekday: int) -> date:
    if which < 0:
        last = _add_months(first, 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))


def _parsed_by_library(text: str, now: int, zone: ZoneInfo) -> Moment:
    if not _WORD.search(text):
        raise InvalidInput("not a date")  # the library sees a month in any stray number
    base = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    try:
        found = dateparser.parse(
            text,
            languages=_LANGUAGES,
            settings={
                "TIMEZONE": zone.key,
                "RETURN_AS_TIMEZONE_AWARE": True,
                "RELATIVE_BASE": base.replace(tzinfo=None),
                "PREFER_DAY_OF_MONTH": "first",
                "PARSERS": ["relative-time", "absolute-time"],
            },
        )
        if found is None:
            raise InvalidInput("not a date")
        seconds = int(found.timestamp())
        next_day = int((found + timedelta(days=1)).timestamp())
    except (ValueError, OverflowError, TypeError, AttributeError, IndexError, KeyError, RecursionError):
        raise InvalidInput("not a date") from None
    return Moment(seconds, found.time() == datetime.min.time(), next_day)
