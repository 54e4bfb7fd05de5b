"""The grammar of PHP's `strtotime`, as far as people write it: text in, a reading out.

The text is a sequence of phrases in any order ("last monday", "first day of last month 09:00 +0200"); the longest
phrase that fits at a place wins. A reading only records what was said; `dates.py` turns it into a moment. This is
not a calendar and knows no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from mailvane.core.errors import InvalidInput

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
            "twelfth")  # fmt: skip

_SECONDS = {"sec": 1, "min": 60, "hour": 3600}
_DAYS = {"day": 1, "week": 7, "fortnight": 14}
_ABBREVIATIONS = {
    "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9,
    "aest": 10, "aedt": 11,
    "ast": -4, "adt": -3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip


class UnknownPhrase(InvalidInput):
    """The text is none of the known phrases."""


@dataclass
class Reading:
    """What a text says. `None` and zero mean that it does not say."""

    date: tuple[int | None, int | None, int | None] | None = None  # year, month, day
    time: tuple[int, int, int] | None = None
    zone: tzinfo | None = None
    from_1970: bool = False  # what is not said is that of the moment at which 1970 began
    at_midnight: bool = False  # a phrase that names a day, and no time with it
    names_day: bool = False  # the text means a day rather than an instant
    years: int = 0
    months: int = 0
    days: int = 0
    workdays: int | None = None  # Monday to Friday; 0: this one, or the next
    seconds: int = 0
    weekday: int | None = None  # 0: Sunday; less than 0: back from here, -7 for Sunday
    today_counts: bool = False  # as that weekday
    in_week: bool = False  # "this week": the weekday is one of that ISO week, its Monday where none is named
    of_month: str = ""  # the weekday is sought from the "first" day of the month, or back from behind its "last"
    edge: str = ""  # "first" or "last" day of the month

    def set_date(self, year: int | None, month: int | None, day: int | None) -> None:
        if self.date is not None:
            raise InvalidInput("the date is given twice")
        if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
            raise InvalidInput("there is no such date")
        self.date = (year, month, day)
        self.at_midnight = self.names_day = True

    def set_time(self, hour: int, minute: int, second: int) -> None:
        if self.time is not None:
            raise InvalidInput("the time is given twice")
        if not (hour <= 24 and minute <= 59 and second <= 60):
            raise InvalidInput("there is no such time")
        self.time = (hour, minute, second)

    def set_zone(self, zone: tzinfo) -> None:
        if self.zone is not None:
            raise InvalidInput("the zone is given twice")
        self.zone = zone

    def set_day(self, shift: int) -> None:
        """Also in the place of days that were counted before."""
        self.days = shift or self.days
        self.begin_day()

    def set_weekday(self, name: str, ahead: int, *, today_counts: bool) -> None:
        """The weekday that is the so many'th ahead, or back; 0: the next."""
        self.days += 7 * (ahead - 1 if ahead > 0 else ahead)
        self.weekday = (WEEKDAYS.index(name[:3].lower()) + 1) % 7
        self.today_counts = today_counts

    def set_week(self, shift: int) -> None:
        self.days += 7 * shift
        self.in_week = True
        if self.weekday is None:
            self.weekday = 1

    def begin_day(self) -> None:
        """A word for a day takes back a time that stands before it."""
        self.time = None
        self.at_midnight = self.names_day = True

    def shift(self, amount: int, unit: str) -> None:
        if unit in _SECONDS:
            self.seconds += amount * _SECONDS[unit]
        elif unit in _DAYS:
            self.days += amount * _DAYS[unit]
        elif unit == "weekday":
            self.workdays = (self.workdays or 0) + amount
        elif unit == "month":
            self.months += amount
        else:
            self.years += amount

    def reverse(self) -> None:
        self.years, self.months, self.days = -self.years, -self.months, -self.days
        self.seconds, self.workdays = -self.seconds, self.workdays and -self.workdays
        if self.weekday is not None:
            self.weekday = -self.weekday or -7


Action = Callable[[Reading, "re.Match[str]"], None]
_PHRASES: list[tuple[str, Action]] = []

_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_ANY_MONTH = _MONTH[:-1] + "|" + "|".join(sorted(_ROMAN, key=len, reverse=True)) + r")(?![a-z])"
_WEEKDAY = (
    r"(?P<weekday>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:s|nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|"
    r"sun(?:day)?)"
)
_UNIT = r"(?P<unit>sec(?:ond)?|min(?:ute)?|hour|day|weekday|week|fortnight|month|year)s?"
_WHICH = r"(?P<which>next|last|previous|this)"
_NTH = "(?P<nth>" + "|".join(ORDINALS) + "|next|last|previous|this)"
_Y, _M, _D, _TH = r"(?P<y>\d{4})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})", r"(?:st|nd|rd|th)?"
_GAP, _END = r"[ \t]+", r"(?![a-z0-9])"


def _phrase(*patterns: str) -> Callable[[Action], Action]:
    def register(action: Action) -> Action:
        _PHRASES.extend((pattern, action) for pattern in patterns)
        return action

    return register


@cache
def _phrases(*, behind_a_date: bool) -> Sequence[tuple[re.Pattern[str], Action]]:
    """In the order in which they are tried. Compiled when a date is first read: many commands read none."""
    if behind_a_date:
        return [(_DOTTED, _dotted_time), (_YEAR, _year_behind), (_LETTER, _military), *_phrases(behind_a_date=False)]
    return [(re.compile(pattern, re.IGNORECASE | re.ASCII), action) for pattern, action in _PHRASES]


def read(text: str) -> Reading:
    """What the text says.

    Raises UnknownPhrase when a part of it is none of the known phrases, InvalidInput when it contradicts itself.
    """
    reading, place = Reading(), 0
    while place < len(text):
        if text[place] in " \t,;()":
            place += 1
            continue
        match, action = _longest(text, place, _phrases(behind_a_date=reading.date is not None))
        action(reading, match)
        place = match.end()
    return reading


def _longest(text: str, place: int, phrases: Sequence[tuple[re.Pattern[str], Action]]) -> tuple[re.Match[str], Action]:
    best: tuple[re.Match[str], Action] | None = None
    for pattern, action in phrases:
        match = pattern.match(text, place)
        if match and match.end() > place and (best is None or match.end() > best[0].end()):
            best = (match, action)
    if best is None:
        raise UnknownPhrase
    return best


def _month_number(name: str) -> int:
    name = name.lower()
    return (_ROMAN.index(name) if name in _ROMAN else MONTHS.index(name[:3])) + 1


def _year(digits: str) -> int:
    short = int(digits)
    if len(digits) > 2:
        return short
    return short + (2000 if short < 70 else 1900)


# ---- dates


@_phrase(
    rf"{_Y}-{_M}-{_D}(?!\d)",
    rf"{_Y}/{_M}/{_D}(?!\d)",
    rf"{_D}[.-]{_M}[.-]{_Y}(?!\d)",
    rf"{_D}\.{_M}\.(?P<y>\d\d)(?![\d:])",
    rf"{_M}/{_D}/(?P<y>\d{{4}}|\d\d)(?!\d)",
    rf"(?P<y>\d\d)-{_M}-{_D}(?!\d)",
    r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?![\d.:-])",
)
def _numbers(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(_year(match["y"]), int(match["m"]), int(match["d"]))


@_phrase(rf"{_Y}-(?P<m>\d\d){_END}")
def _year_and_month(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(int(match["y"]), int(match["m"]), 1)


@_phrase(rf"{_M}/{_D}{_END}")
def _month_and_day(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(None, int(match["m"]), int(match["d"]))


@_phrase(
    rf"{_D}{_TH}[ \t.-]*{_ANY_MONTH}[ \t.,-]*{_Y}(?![\d:])",
    rf"{_MONTH}-{_D}-(?P<y>\d\d)(?!\d)",
    rf"(?P<y>\d\d)-{_MONTH}-{_D}(?!\d)",
    rf"{_MONTH}[ \t.-]*{_D}{_TH}[ \t.,-]+{_Y}(?![\d:])",
    rf"{_Y}-{_MONTH}-{_D}(?!\d)",
)
def _named_month(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(_year(match["y"]), _month_number(match["month"]), int(match["d"]))


@_phrase(rf"{_D}/{_MONTH}/{_Y}:(?P<h>\d{{1,2}}):(?P<min>\d\d):(?P<s>\d\d)(?!\d)")
def _common_log_format(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(int(match["y"]), _month_number(match["month"]), int(match["d"]))
    reading.set_time(int(match["h"]), int(match["min"]), int(match["s"]))


@_phrase(rf"{_D}{_TH}[ \t.-]*{_MONTH}{_END}", rf"{_MONTH}[ \t.-]*{_D}{_TH}(?![\d:])")
def _named_month_this_year(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(None, _month_number(match["month"]), int(match["d"]))


@_phrase(rf"{_ANY_MONTH}[ \t.,-]*{_Y}(?![\d:])", rf"{_Y}[ \t.-]*{_MONTH}{_END}")
def _month_of_year(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(int(match["y"]), _month_number(match["month"]), 1)


@_phrase(rf"{_MONTH}{_END}")
def _month_alone(reading: Reading, match: re.Match[str]) -> None:
    reading.set_date(None, _month_number(match["month"]), None)


@_phrase(rf"{_Y}-?w(?P<week>\d\d)(?:-?(?P<day>[1-7]))?{_END}")
def _iso_week(reading: Reading, match: re.Match[str]) -> None:
    try:
        day = date.fromisocalendar(int(match["y"]), int(match["week"]), int(match["day"] or 1))
    except ValueError:
        raise InvalidInput("there is no such week") from None
    # The year begins, and so many days of it are over: in the place of days that were counted before.
    reading.set_date(int(match["y"]), 1, 1)
    reading.days = (day - date(int(match["y"]), 1, 1)).days


@_phrase(rf"{_Y}[.-](?P<n>\d{{3}}){_END}")
def _day_of_year(reading: Reading, match: re.Match[str]) -> None:
    number = int(match["n"])
    if not 1 <= number <= 366 or not 1 <= int(match["y"]) < 9999:
        raise InvalidInput("there is no such date")
    reading.set_date(int(match["y"]), 1, 1)
    reading.date = (int(match["y"]), 1, number)  # a day of January, however many it has


# ---- times and zones


@_phrase(
    r"t?(?P<h>\d{1,2}):(?P<min>\d{1,2})(?::(?P<s>\d{1,2})(?:[.,]\d{1,9})?)?(?!\d)",
    r"(?P<h>\d{1,2}):(?P<min>\d{1,2})(?::(?P<s>\d\d))?[ \t]*(?P<half>[ap])\.?m\.?(?![a-z])",
    r"t(?P<h>\d\d)(?P<min>\d\d)(?P<s>\d\d)?(?!\d)",
)
def _time(reading: Reading, match: re.Match[str]) -> None:
    said = match.groupdict()
    reading.set_time(_hour(int(said["h"]), said.get("half")), int(said["min"]), int(said["s"] or 0))


@_phrase(r"(?P<h>\d{1,2})[ \t]*(?P<half>[ap])\.?m\.?(?![a-z])")
def _hour_alone(reading: Reading, match: re.Match[str]) -> None:
    reading.set_time(_hour(int(match["h"]), match["half"]), 0, 0)


@_phrase(rf"(?P<side>back|front){_GAP}of{_GAP}(?P<h>\d{{1,2}})[ \t]*(?:(?P<half>[ap])\.?m\.?)?(?![a-z\d])")
def _side_of_hour(reading: Reading, match: re.Match[str]) -> None:
    """A quarter past, or a quarter to."""
    reading.set_time(_hour(int(match["h"]), match["half"]), 0, 0)
    reading.seconds += 15 * 60 if match["side"].lower() == "back" else -15 * 60


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise InvalidInput("there is no such time")
    return hour % 12 + (12 if half.lower() == "p" else 0)


@_phrase(rf"(?:utc|gmt|z){_END}")
def _utc(reading: Reading, _match: re.Match[str]) -> None:
    reading.set_zone(UTC)


@_phrase(rf"(?:utc|gmt)?(?P<sign>[+-])(?P<h>\d{{1,2}})(?::?(?P<min>\d\d))?{_END}")
def _offset(reading: Reading, match: re.Match[str]) -> None:
    hours, minutes = int(match["h"]), int(match["min"] or 0)
    if hours > 14 or minutes > 59:
        raise InvalidInput("there is no such zone")
    size = timedelta(hours=hours, minutes=minutes)
    reading.set_zone(timezone(-size if match["sign"] == "-" else size))


@_phrase("(?P<name>" + "|".join(_ABBREVIATIONS) + f"){_END}")
def _abbreviation(reading: Reading, match: re.Match[str]) -> None:
    reading.set_zone(timezone(timedelta(hours=_ABBREVIATIONS[match["name"].lower()])))


@lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


@_phrase(r"[a-z]+(?:/[a-z_+-]+\d*)+")
def _zone_name(reading: Reading, match: re.Match[str]) -> None:
    name = _zone_names().get(match[0].lower())
    if name is None:
        raise InvalidInput("there is no such zone")
    reading.set_zone(ZoneInfo(name))


@_phrase(r"@(?P<seconds>-?\d{1,11})(?:\.\d{1,9})?(?!\d)")
def _timestamp(reading: Reading, match: re.Match[str]) -> None:
    """So many seconds after 1970 begins, in UTC: in the place of a date and a time that stand before it."""
    reading.from_1970 = True
    reading.date = reading.time = None
    reading.set_zone(UTC)
    reading.seconds += int(match["seconds"])


# ---- words


@_phrase(rf"now{_END}")
def _now(_reading: Reading, _match: re.Match[str]) -> None:
    """Says nothing but what is so without it."""


@_phrase(rf"(?P<day>yesterday|today|tomorrow){_END}")
def _day_by_word(reading: Reading, match: re.Match[str]) -> None:
    reading.set_day({"yesterday": -1, "today": 0, "tomorrow": 1}[match["day"].lower()])


@_phrase(rf"(?P<hour>midnight|noon){_END}")
def _hour_by_word(reading: Reading, match: re.Match[str]) -> None:
    reading.time = None
    reading.set_time(12 if match["hour"].lower() == "noon" else 0, 0, 0)


@_phrase(rf"{_WEEKDAY}{_END}\.?")
def _weekday_alone(reading: Reading, match: re.Match[str]) -> None:
    reading.set_weekday(match["weekday"], 0, today_counts=True)
    reading.begin_day()


# ---- shifts


def _steps(which: str) -> int:
    which = which.lower()
    return ORDINALS.index(which) + 1 if which in ORDINALS else {"next": 1, "this": 0}.get(which, -1)


def _unit(name: str) -> str:
    name = name.lower()
    return {"second": "sec", "minute": "min"}.get(name, name)


@_phrase(rf"(?P<signs>[+-]*)[ \t]*(?P<n>\d{{1,9}})[ \t]*{_UNIT}{_END}")
def _amount(reading: Reading, match: re.Match[str]) -> None:
    amount = int(match["n"])
    reading.shift(-amount if match["signs"].count("-") % 2 else amount, _unit(match["unit"]))


@_phrase(rf"(?P<signs>[+-]+)[ \t]*(?P<n>\d{{1,4}})[ \t]*{_WEEKDAY}(?:(?<=day)s)?{_END}")
def _weekdays_ahead(reading: Reading, match: re.Match[str]) -> None:
    """The time of day stays."""
    amount = int(match["n"])
    reading.set_weekday(match["weekday"], -amount if match["signs"].count("-") % 2 else amount, today_counts=True)


@_phrase(rf"{_WHICH}{_GAP}{_UNIT}{_END}")
def _relative_unit(reading: Reading, match: re.Match[str]) -> None:
    steps, unit = _steps(match["which"]), _unit(match["unit"])
    if unit == "week" and not match[0].lower().endswith("s"):
        reading.set_week(steps)
    elif unit == "weekday":
        reading.shift(steps, unit)
        reading.begin_day()
    else:
        reading.shift(steps, unit)


@_phrase(rf"weekdays?{_END}")
def _weekday_to_come(reading: Reading, _match: re.Match[str]) -> None:
    reading.shift(1, "weekday")
    reading.begin_day()


@_phrase(rf"(?P<nth>{'|'.join(ORDINALS)}){_GAP}{_UNIT}{_END}")
def _ordinal_unit(reading: Reading, match: re.Match[str]) -> None:
    unit = _unit(match["unit"])
    reading.shift(_steps(match["nth"]), unit)
    if unit == "weekday":
        reading.begin_day()


@_phrase(rf"{_NTH}{_GAP}{_WEEKDAY}(?:(?<=day)s)?{_END}")
def _relative_weekday(reading: Reading, match: re.Match[str]) -> None:
    nth = match["nth"].lower()
    reading.set_weekday(match["weekday"], _steps(nth), today_counts=nth == "this")
    reading.begin_day()


@_phrase(rf"(?P<edge>first|last){_GAP}day{_GAP}of{_END}")
def _edge_of_month(reading: Reading, match: re.Match[str]) -> None:
    reading.edge = match["edge"].lower()


@_phrase(rf"{_NTH}{_GAP}{_WEEKDAY}{_GAP}of{_END}")
def _weekday_of_month(reading: Reading, match: re.Match[str]) -> None:
    nth = match["nth"].lower()
    steps = _steps(nth)
    reading.of_month = "first" if steps > 0 else "last"
    reading.set_weekday(match["weekday"], steps, today_counts=steps > 0 or nth == "this")
    reading.begin_day()


@_phrase(rf"ago{_END}")
def _ago(reading: Reading, _match: re.Match[str]) -> None:
    reading.reverse()


# ---- where the date is told already


@_phrase(r"(?P<h>\d{1,2})\.(?P<min>\d\d)(?![\d.])")
def _dotted_time_of_a_day(reading: Reading, match: re.Match[str]) -> None:
    reading.set_time(int(match["h"]), int(match["min"]), 0)


def _dotted_time(reading: Reading, match: re.Match[str]) -> None:
    reading.set_time(int(match["h"]), int(match["min"]), int(match["s"] or 0))


def _year_behind(reading: Reading, match: re.Match[str]) -> None:
    """As `date` and `ctime` write it: Fri Nov 27 10:30:15 2026."""
    year, month, day = reading.date or (None, None, None)
    if year is not None or reading.time is None:
        raise UnknownPhrase
    reading.date = (int(match["y"]), month, day)


def _military(reading: Reading, match: re.Match[str]) -> None:
    """A is an hour ahead of UTC, M twelve; N is an hour behind, Y twelve; J is none."""
    place = "abcdefghiklmnopqrstuvwxy".index(match["letter"].lower()) + 1
    reading.set_zone(timezone(timedelta(hours=place if place <= 12 else 12 - place)))


_LETTER = re.compile(rf"(?P<letter>[a-ik-y]){_END}", re.IGNORECASE | re.ASCII)
# Without a date before them, points stand between day, month and year.
_DOTTED = re.compile(r"(?P<h>\d{1,2})\.(?P<min>\d{1,2})(?:\.(?P<s>\d{1,2}))?(?![\d.])", re.ASCII)
_YEAR = re.compile(r"(?P<y>(?:19|20)\d\d)(?![\d:])", re.ASCII)
