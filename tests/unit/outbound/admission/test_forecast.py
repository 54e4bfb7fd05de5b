"""Where a month would end, by the last weeks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from mailvane.core.moments import DAY_MS
from mailvane.outbound.admission.counters import today
from mailvane.outbound.admission.forecast import Forecast, forecast
from mailvane.outbound.model import Usage

FRIDAY = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()) * 1000  # of the last days of November, four are left
TODAY = FRIDAY // DAY_MS * DAY_MS


def days_of(weeks: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """By how many weeks ago: what was sent from that Friday on."""
    return {
        TODAY - ago * 7 * DAY_MS + place * DAY_MS: count
        for ago, week in weeks.items()
        for place, count in enumerate(week)
    }


STEADY = (100, 20, 20, 90, 90, 90, 90)  # Friday, a weekend, …
CASES: tuple[tuple[object, ...], ...] = (
    (4, {}, 3000, 0, Forecast(weeks=4, low=3230, high=3230)),
    (4, {}, 3060, 60, Forecast(weeks=4, low=3230, high=3230)),  # today has not all of its mail yet
    (4, {}, 3150, 150, Forecast(weeks=4, low=3280, high=3280)),  # or has more than usual
    (4, {1: (0,) * 7, 2: (900,) * 7}, 3000, 0, Forecast(weeks=4, low=3230, high=3230)),  # lowest and highest are out
    (4, {1: (50,) * 7, 2: (60,) * 7}, 3000, 0, Forecast(weeks=4, low=3230, high=3230)),
    (5, {1: (50,) * 7, 2: (60,) * 7, 3: (70,) * 7}, 3000, 0, Forecast(weeks=5, low=3230, high=3240)),
    (20, {15: (9000,) * 7}, 3000, 0, Forecast(weeks=14, low=3230, high=3230)),  # no more than fourteen
    (3, {}, 3000, 0, Forecast(weeks=3)),
    (0, {}, 3000, 0, Forecast(weeks=0)),
)


@pytest.mark.parametrize(("weeks", "other", "month", "sent_today", "expected"), CASES)
def test_each_week_stands_for_the_days_that_are_left(
    weeks: int, other: dict[int, tuple[int, ...]], month: int, sent_today: int, expected: Forecast
) -> None:
    now = today(Usage(), FRIDAY)
    usage = Usage(day=now.day, hour=now.hour, month=now.month, sent_today=sent_today, sent_month=month)
    found = forecast(days_of({ago: other.get(ago, STEADY) for ago in range(1, weeks + 1)}), usage, FRIDAY)
    assert found == expected
    assert found.is_known == (weeks >= 4)


def test_at_the_beginning_of_a_month_a_week_stands_for_each_of_its_weeks() -> None:
    first = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1000
    days = {first - ago * DAY_MS: 10 for ago in range(1, 29)}
    assert forecast(days, Usage(), first) == Forecast(weeks=4, low=300, high=300)
