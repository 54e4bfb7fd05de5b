"""Which year stamps without one belong to, derived from the order of lines and of the files of one log.

A file is surveyed once, day by day, up to its first stamp that names a year. A step back of more than half a year is
New Year's Eve. The last day cannot be after what is known to have been written later: a dated line, the next file of a
rotated log, the day in a rotated file's name, or the moment at which the file was last changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.maillog.postfix.stamps import LEAP_CYCLE, MONTHS, Stamps, day_of

_STAMP = re.compile(
    rb"(?:<\d{1,3}>)?(?:[\w.-]{1,80} {1,20}\| )?"
    rb"(?:((?:" + "|".join(MONTHS).encode() + rb") [ \d]\d) \d\d:|(\d{4}-\d\d-\d\d[T ][\d:.,+-]{8,30}Z?) )"
)
_LONGEST_REST = 1024  # bytes of a line that are looked at
_HALF_A_YEAR = 183
_HALF_A_DAY = DAY_MS // 2
_LEAP_YEAR = 2024  # any
_ONE_DAY = timedelta(days=1)
_ADJACENT = timedelta(days=2)
_ARCHIVE = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_ROTATION = re.compile(r"(?:[.-](\d{8})(?:[.-]?\d+)?|[.-](\d{1,5})|(\.old))$")


class Survey(msgspec.Struct, frozen=True):
    """The days of a file's stamps that name no year, each once as long as it lasts, and the first time after them."""

    days: tuple[tuple[int, int], ...]  # month and day
    dated: int | None  # milliseconds; None when no stamp of the file names a year


def survey(pieces: Iterable[bytes], stamps: Stamps) -> Survey:
    """Go through a text, which comes in pieces, as far as its first stamp with a year."""
    days: list[tuple[int, int]] = []
    today = b""
    for line in _changes(pieces):
        if today and line.startswith(today):
            continue
        found = _STAMP.match(line)
        if found is None:
            continue
        if found[1] is not None:
            today = line[: found.end(1)]
            text = found[1]
            day = MONTHS[text[:3].decode()], int(text[4:])
            if days[-1:] != [day] and day_of(_LEAP_YEAR, *day) is not None:
                days.append(day)
        elif (moment := stamps.internet(found[2].decode())) is not None:
            return Survey(tuple(days), moment)
    return Survey(tuple(days), None)


def _changes(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Complete lines, and what is left at the end; of a long line its start. Of a piece whose lines all begin with the
    same day, and with the same before it, only the first: nearly all pieces are such, and that is far cheaper than to
    take them apart."""
    rest = b""
    for piece in pieces:
        text = rest + piece
        end = text.rfind(b"\n")
        rest = text[end + 1 :][:_LONGEST_REST]
        if end < 0:
            continue
        first = _STAMP.match(text)
        day = text[: first.end(1)] if first is not None and first[1] is not None else b""
        if day and re.compile(rb"\n(?!" + re.escape(day) + b")").search(text, 0, end) is None:
            yield text[: text.find(b"\n")]
        else:
            yield from text[:end].split(b"\n")
    yield rest


def _past(days: Sequence[tuple[int, int]]) -> list[int]:
    """How many years after the first day each day is."""
    years: list[int] = []
    past, before = 0, 0
    for day in days:
        number = date(_LEAP_YEAR, *day).timetuple().tm_yday
        if years and before - number > _HALF_A_YEAR:
            past += 1
        elif years and number - before > _HALF_A_YEAR:
            past -= 1
        years.append(past)
        before = number
    return years


class Written(msgspec.Struct, frozen=True):
    """A file, what its stamps say, and a moment at which its lines were written."""

    name: str
    found: Survey
    reference: int


def first_times(files: Sequence[Written], zone: ZoneInfo, year: int | None = None) -> dict[str, int]:
    """When each file begins, at midnight where its first stamp names no year; 0 if it has none.

    `year` is that of the first stamp without one in each log. Raises InvalidInput if a day of the log is not in it.
    """
    calendar = _Calendar(zone)
    found: dict[str, int] = {}
    # The files of each log, oldest first by what rotation calls them.
    logs: dict[str, list[tuple[tuple[int, int], Written]]] = {}
    for file in files:
        base, order = rotation_of(file.name)
        logs.setdefault(base, []).append((order, file))
    for log in [[file for _, file in sorted(log, key=lambda pair: pair[0])] for log in logs.values()]:
        found |= calendar.onward(log, year) if year is not None else calendar.backward(log)
    if year is None:
        calendar.join_adjacent(files, found)
    return found


class _Calendar:
    """Days of one zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def backward(self, log: Sequence[Written]) -> dict[str, int]:
        """The newest file first: what was rotated away before ends where the next one begins."""
        found: dict[str, int] = {}
        begun: int | None = None
        for file in reversed(log):
            bound = file.reference if begun is None else min(file.reference, begun)
            if not file.found.days:
                found[file.name] = file.found.dated or 0
            else:
                last = bound if file.found.dated is None else min(file.found.dated, bound)
                found[file.name] = self._midnight(file.found.days, self._latest_year(file.found.days, last))
            begun = found[file.name] or begun
        return found

    def onward(self, log: Sequence[Written], year: int) -> dict[str, int]:
        """The oldest file first, whose year is given."""
        found: dict[str, int] = {}
        days: tuple[tuple[int, int], ...] = ()
        for file in log:
            first = len(days)
            days += file.found.days
            if not file.found.days:
                found[file.name] = file.found.dated or 0
                continue
            past = _past(days)
            for day, later in zip(days, past, strict=True):
                if day_of(year + later, *day) is None:
                    raise InvalidInput(f"{file.name}: the year {year + later} has no 29 February, but the log has one")
            found[file.name] = self._midnight(file.found.days, year + past[first])
        return found

    def join_adjacent(self, files: Sequence[Written], found: dict[str, int]) -> None:
        """A file that ends just before a dated one begins is the one before it, whatever it is called."""
        begins = [self._date(file.found.dated) for file in files if file.found.dated and not file.found.days]
        for file in files:
            days = file.found.days
            if not days or file.found.dated is not None:
                continue
            year, past = self._date(found[file.name] + _HALF_A_DAY).year, _past(days)
            if self._written_then(file, year + past[-1]):
                continue
            for begin in begins:
                last = day_of(begin.year, *days[-1]) or date(begin.year, 2, 28)
                if last > begin + _ONE_DAY:
                    last = day_of(begin.year - 1, *days[-1]) or last
                if -_ONE_DAY <= begin - last <= _ADJACENT and _fits(days, past, last.year - past[-1]):
                    found[file.name] = self._midnight(days, last.year - past[-1])

    def _written_then(self, file: Written, year: int) -> bool:
        """Whether the file was last changed on the day of its last line: then nothing tells better."""
        last = day_of(year, *file.found.days[-1])
        return last is not None and abs(self._date(file.reference) - last) <= _ADJACENT

    def _latest_year(self, days: Sequence[tuple[int, int]], bound: int) -> int:
        """The latest year of the first day that puts no day after the bound, or more than a day."""
        latest, past = self._date(bound) + _ONE_DAY, _past(days)
        newest = latest.year - min(past)
        for year in range(newest, newest - len(days) - LEAP_CYCLE - 2, -1):
            if _fits(days, past, year) and all(
                date(year + later, *day) <= latest for day, later in zip(days, past, strict=True)
            ):
                return year
        return latest.year - max(past)

    def _date(self, moment: int) -> date:
        return datetime.fromtimestamp(moment // 1000, UTC).astimezone(self._zone).date()

    def _midnight(self, days: Sequence[tuple[int, int]], year: int) -> int:
        day = day_of(year, *days[0]) or date(year, 2, 28)
        return int(datetime.combine(day, time(), self._zone).timestamp()) * 1000


def _fits(days: Sequence[tuple[int, int]], past: Sequence[int], year: int) -> bool:
    return all(day_of(year + later, *day) is not None for day, later in zip(days, past, strict=True))


def rotation_of(name: str) -> tuple[str, tuple[int, int]]:
    """`(name of the living log, place among its files)`: `mail.log.2.gz` is before `mail.log.1`, before `mail.log`."""
    name = _ARCHIVE.sub("", name)
    found = _ROTATION.search(name)
    if found is None or found.start() == len(name) - len(Path(name).name):
        return name, (2, 0)
    base = name[: found.start()]
    if found[1] and (day := rotation_day(name)):
        return base, (0, day.toordinal())
    return base, (1, -int(found[1] or found[2] or 0))


def rotation_day(name: str) -> date | None:
    """The day in the name of a rotated file, such as `mail.log-20240610.gz`, on which its last line was written."""
    found = _ROTATION.search(_ARCHIVE.sub("", Path(name).name))
    if found is None or not found[1]:
        return None
    digits = found[1]
    return day_of(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits[:2] in {"19", "20"} else None
