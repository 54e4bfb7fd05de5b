"""When the week of a quota begins."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mailvane.inbound.weeks import week_start


@pytest.mark.parametrize(
    ("zone", "now", "start"),
    [
        ("UTC", "2026-11-27T17:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        ("UTC", "2026-11-23T00:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        ("UTC", "2026-11-22T23:59:59.999+00:00", "2026-11-16T00:00:00+00:00"),
        # The clocks go back on Sunday: this week has 169 hours, and still ends on Monday.
        ("Europe/Berlin", "2026-10-25T23:59:59+01:00", "2026-10-19T00:00:00+02:00"),
        ("Europe/Berlin", "2026-10-26T00:00:00+01:00", "2026-10-26T00:00:00+01:00"),
        # They go forward: 167 hours.
        ("Europe/Berlin", "2026-03-29T23:59:59+02:00", "2026-03-23T00:00:00+01:00"),
        ("Europe/Berlin", "2026-03-30T00:00:00+02:00", "2026-03-30T00:00:00+02:00"),
        # Of one moment, two zones may say two weeks.
        ("Pacific/Auckland", "2026-11-22T12:00:00+00:00", "2026-11-23T00:00:00+13:00"),
        # On this Monday there was no midnight: the clocks went from 24:00 of Sunday to 01:00.
        ("Asia/Beirut", "1972-05-01T12:00:00+03:00", "1972-05-01T01:00:00+03:00"),
        # And this one had two: it begins with the first.
        ("America/Havana", "2026-11-02T12:00:00-05:00", "2026-11-02T00:00:00-05:00"),
    ],
)
def test_a_week_begins_on_monday_at_midnight(zone: str, now: str, start: str) -> None:
    assert week_start(ms(now), ZoneInfo(zone)) == ms(start)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
