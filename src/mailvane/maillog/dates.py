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
    base = 0 if reading.from_1970 else now // 1000
    # What is not said is read off the server's clock, whichever zone the text is in.
    today = datetime.fromtimestamp(base, UTC).astimezone(place if reading.from_1970 else zone)
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
        is_now = local.replace(tzinfo=None) == today.replace(tzinfo=None) and local.tzinfo == today.tzinfo
        return (int(today.timestamp()) if is_now else _epoch(local)) + reading.seconds
    return _epoch(local + timedelta(seconds=reading.seconds))


def _epoch(local: datetime) -> int:
    """An hour that comes twice is the second one; one that is skipped is as long after the clocks have jumped."""
    return int(max(local.replace(fold=fold).timestamp() for fold in (0, 1)))


def _day(reading: strtotime.Reading, today: date) -> date:
    """In PHP's order: the edge of the month, the weekday, what is added, the edge again, working days."""
    given = reading.date or (None, None, None)
    year, month, number = (own if said is None else said for said, own in zip(given, today.timetuple(), strict=False))
    months = reading.months
    if reading.of_month:
        month, months, number = month + months + (reading.of_month == "last"), 0, 1
    if reading.edge:
        month, number = month + (reading.edge == "last"), int(reading.edge == "first")
    day = _normalized(year, month, number)
    if reading.weekday is not None:
        day += timedelta(days=_to_weekday(day, reading.weekday, reading))
    year, month, number = day.year + reading.years, day.month + months, day.day + reading.days
    if reading.edge:
        month, number = month + (reading.edge == "last"), int(reading.edge == "first")
    return _add_workdays(_normalized(year, month, number), reading.workdays)


def _normalized(year: int, month: int, number: int) -> date:
    """Months and days may be more than there are, or less than one. Raises ValueError or OverflowError."""
    years, month = divmod(month - 1, 12)
    return date(year + years, month + 1, 1) + timedelta(days=number - 1)


def _add_workdays(day: date, count: int | None) -> date:
    if count is None:
        return day
    weekend = max(day.weekday() - 4, 0)
    if weekend:  # what is counted begins behind the last working day, and ends before the next when it goes back
        day += timedelta(days=-weekend if count > 0 else 3 - weekend)
    step = -1 if count < 0 else 1
    weeks, left = divmod(abs(count), 5)
    day += timedelta(weeks=step * weeks)
    while left:
        day += timedelta(days=step)
        left -= day.weekday() <= 4
    return day


def _to_weekday(day: date, weekday: int, reading: strtotime.Reading) -> int:
    """Days from here to the weekday; 0 is Sunday in both."""
    here = day.isoweekday() % 7
    if reading.in_week:  # Monday to Sunday
        return (weekday - 1) % 7 - (here - 1) % 7
    if weekday < 0:
        return -(7 - (-weekday - here))
    ahead = weekday - here
    if ahead < 0 or (ahead == 0 and reading.days >= 0 and not reading.today_counts):
        ahead += 7
    return ahead


def _parsed_by_library(text: str, now: int, zone: ZoneInfo) -> Moment:
    if not _WORD.search(text):
        raise InvalidInput("not a date")  # the library sees a month in any stray number
    # Imported for the few texts that get here: it takes longer to load than a command to answer.
    import dateparser  # noqa: PLC0415

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
