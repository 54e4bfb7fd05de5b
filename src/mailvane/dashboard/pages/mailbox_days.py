"""Which days the pages of mailboxes tell of: so many up to today, or those that somebody picked. Days are of UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.visits import Visit
from mailvane.mailboxes.performance import Window

RANGES = {"7": 7, "30": 30, "90": 90}
_USUAL = "30"
_MOST = 92


class Days(msgspec.Struct, frozen=True):
    """Whole days, of which the last may be today and not over."""

    chosen: str  # of RANGES; empty: they were picked
    first: int  # its beginning, milliseconds
    count: int
    until: int

    @property
    def window(self) -> Window:
        return Window(self.first, self.until)

    @property
    def starts(self) -> list[int]:
        return [self.first + place * DAY_MS for place in range(self.count)]

    @property
    def last(self) -> int:
        return self.starts[-1]

    @property
    def told(self) -> str:
        """Such as: in 30 days."""
        if self.chosen:
            return f"in {self.count} days"
        first, last = (f"{datetime.fromtimestamp(at / 1000, UTC):%d %b %Y}" for at in (self.first, self.last))
        return f"on {first}" if first == last else f"from {first} to {last}"

    @property
    def fields(self) -> Mapping[str, str]:
        """For the form that picks them."""
        ends = {"first": self.first, "last": self.last}
        return {name: f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}" for name, at in ends.items()}


def days_of(visit: Visit) -> Days:
    """By `from` and `to`, else by `days`. Raises InvalidInput."""
    today = visit.now // DAY_MS * DAY_MS
    if text := visit.asked("from").strip():
        first, last = _day(text), min(_day(visit.asked("to").strip() or text), today)
        count = (last - first) // DAY_MS + 1
        if not 1 <= count <= _MOST:
            raise InvalidInput(f"from, to: expected 1 to {_MOST} days that have begun")
        return Days("", first, count, min(last + DAY_MS - 1, visit.now))
    chosen = visit.asked("days", _USUAL)
    chosen = chosen if chosen in RANGES else _USUAL
    return Days(chosen, today - (RANGES[chosen] - 1) * DAY_MS, RANGES[chosen], visit.now)


def links(visit: Visit) -> dict[str, str]:
    """To each of RANGES, on the same page."""
    return {each: visit.with_query(**{"days": each, "from": "", "to": "", "page": ""}) for each in RANGES}


def _day(text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("from, to: expected days, such as 2026-11-20") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
