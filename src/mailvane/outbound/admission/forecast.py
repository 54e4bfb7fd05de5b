"""Where a domain's month would end, by its own last weeks. Pure.

Each of the last weeks stands once for the days that are left of the month, weekday for weekday; of the sums the lowest
and the highest are left out. Nothing is assumed of growth, and nothing of limits.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import month_begin, month_of, today
from mailvane.outbound.model import Usage

MOST_WEEKS = 14
FEWEST_WEEKS = 4
_WEEK = 7


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Mails of the month when it is over."""

    weeks: int  # that are known, whole; too few of them say nothing
    low: int = 0
    high: int = 0

    @property
    def is_known(self) -> bool:
        return self.weeks >= FEWEST_WEEKS


def forecast(days: Mapping[int, int], usage: Usage, now: int) -> Forecast:
    """`days`: what counted on each day of UTC before today, by its start; the first of them is where they begin."""
    current, begun = today(usage, now), now // DAY_MS * DAY_MS
    first = min((day for day, count in days.items() if count), default=begun)
    weeks = min(MOST_WEEKS, (begun - first) // (_WEEK * DAY_MS))
    if weeks < FEWEST_WEEKS:
        return Forecast(weeks=weeks)
    left = (month_begin(month_of(now // HOUR_MS) + 1) - begun) // DAY_MS  # with today
    sums = sorted(
        _with_week(days, begun - number * _WEEK * DAY_MS, left, current.sent_today) for number in range(1, weeks + 1)
    )
    before = current.sent_month - current.sent_today
    return Forecast(weeks=weeks, low=before + sums[1], high=before + sums[-2])


def _with_week(days: Mapping[int, int], start: int, left: int, sent_today: int) -> int:
    """The week that begins then in the place of today and the days after it; today has at least what it has."""
    week = [days.get(start + place * DAY_MS, 0) for place in range(_WEEK)]
    return max(sent_today, week[0]) + sum(week[place % _WEEK] for place in range(1, left))
