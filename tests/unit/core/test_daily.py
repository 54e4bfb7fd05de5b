"""When the report of a day is due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.daily import Daily, Day, days_before, last_due

HOUR = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "hour", "zone", "day", "hours"),
    [
        ("2026-09-21T07:00", 7, "UTC", "2026-09-20", 24),
        ("2026-09-21T06:59", 7, "UTC", "2026-09-19", 24),
        ("2026-09-21T05:00", 7, "Europe/Berlin", "2026-09-20", 24),
        ("2026-09-20T22:00", 7, "Asia/Tokyo", "2026-09-20", 24),
        # Clocks jump from 02:00 to 03:00 on 2026-03-29, and back on 2026-10-25.
        ("2026-03-29T00:59", 2, "Europe/Berlin", "2026-03-27", 24),
        ("2026-03-29T01:00", 2, "Europe/Berlin", "2026-03-28", 24),
        ("2026-03-30T05:00", 7, "Europe/Berlin", "2026-03-29", 23),
        ("2026-10-25T00:00", 2, "Europe/Berlin", "2026-10-24", 24),
        ("2026-10-26T06:00", 7, "Europe/Berlin", "2026-10-25", 25),
        ("2026-09-21T00:00", 0, "UTC", "2026-09-20", 24),
    ],
)
def test_the_newest_day_whose_hour_has_come(now: str, hour: int, zone: str, day: str, hours: int) -> None:
    found = last_due(ms(now), hour, ZoneInfo(zone))
    assert (found.name, (found.until - found.since) / HOUR) == (day, hours)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the strategy wants bounds without a zone
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago"]),
)
def test_days_follow_each_other_without_gap(moment: datetime, hour: int, zone: str) -> None:
    now = int(moment.replace(tzinfo=UTC).timestamp() * 1000)
    today = last_due(now, hour, ZoneInfo(zone))
    later = last_due(now + 24 * HOUR, hour, ZoneInfo(zone))
    assert today.until <= now
    if later.name != today.name:
        between = datetime.fromisoformat(later.name) - datetime.fromisoformat(today.name)
        assert between <= timedelta(days=2)
        assert later.since == today.until or between == timedelta(days=2)


class Told:
    def __init__(self, failures: int = 0) -> None:
        self.days: list[str] = []
        self.failures = failures

    async def post(self, day: Day, now: int) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the ledger is away")
        self.days.append(day.name)


def test_each_day_is_told_once_by_one_process() -> None:
    told, now = Told(), [ms("2026-09-21T06:00")]
    daily = Daily(7, "UTC", told.post, lambda: now[0])

    async def days() -> None:
        for _ in range(50):
            await daily.look()
            now[0] += HOUR

    asyncio.run(days())
    assert told.days == ["2026-09-19", "2026-09-20", "2026-09-21", "2026-09-22"]


def test_what_failed_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailvane.core.daily.LOOK_SECONDS", 0)
    told = Told(failures=2)
    daily = Daily(7, "UTC", told.post, lambda: ms("2026-09-21T08:00"))

    async def scene() -> None:
        task = asyncio.create_task(daily.run())
        async with asyncio.timeout(10):
            while not told.days:
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert told.days == ["2026-09-20"]


def test_the_days_before_one_have_the_hours_of_their_zone() -> None:
    found = days_before(last_due(ms("2026-03-31T07:00"), 7, ZoneInfo("Europe/Berlin")), 2)
    assert [(day.name, (day.until - day.since) / HOUR) for day in found] == [("2026-03-28", 24), ("2026-03-29", 23)]
    assert found[0].until == found[1].since
