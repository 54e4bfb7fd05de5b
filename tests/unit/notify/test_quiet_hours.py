"""Quiet hours by the clock on the wall, over midnight and where the clock is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.notify.quiet_hours import read_quiet_hours

BERLIN = "Europe/Berlin"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "end"),
    [
        (("22:00", "07:00"), "UTC", "2026-06-01T21:59:59", None),
        (("22:00", "07:00"), "UTC", "2026-06-01T22:00:00", "2026-06-02T07:00:00"),
        (("22:00", "07:00"), "UTC", "2026-06-02T06:59:59", "2026-06-02T07:00:00"),
        (("22:00", "07:00"), "UTC", "2026-06-02T07:00:00", None),
        (("12:00", "13:30"), "UTC", "2026-06-01T12:15:00", "2026-06-01T13:30:00"),
        (("12:00", "13:30"), "UTC", "2026-06-01T11:15:00", None),
        # In summer Berlin is two hours ahead, in winter one.
        (("22:00", "07:00"), BERLIN, "2026-07-01T20:30:00", "2026-07-02T05:00:00"),
        (("22:00", "07:00"), BERLIN, "2026-12-01T20:30:00", None),
        (("22:00", "07:00"), BERLIN, "2026-12-01T21:00:00", "2026-12-02T06:00:00"),
        # The night of 29 March 2026 is an hour shorter (02:00 becomes 03:00), that of 25 October an hour longer.
        (("22:00", "07:00"), BERLIN, "2026-03-28T21:30:00", "2026-03-29T05:00:00"),
        (("22:00", "07:00"), BERLIN, "2026-03-29T05:00:00", None),
        (("22:00", "07:00"), BERLIN, "2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        (("22:00", "07:00"), BERLIN, "2026-10-25T05:30:00", "2026-10-25T06:00:00"),
        # An end that comes twice is the second one; one that is left out is the later reading.
        (("22:00", "02:30"), BERLIN, "2026-10-25T00:45:00", "2026-10-25T01:30:00"),
        (("22:00", "02:30"), BERLIN, "2026-03-28T23:00:00", "2026-03-29T01:30:00"),
        # A beginning that comes twice is the first one; one that is left out is the earlier reading.
        (("02:30", "06:00"), BERLIN, "2026-10-25T00:30:00", "2026-10-25T05:00:00"),
        (("02:30", "06:00"), BERLIN, "2026-03-29T00:45:00", "2026-03-29T04:00:00"),
        # Half an hour only (Lord Howe, 4 October 2026: 02:00 becomes 02:30), and a day that had no midnight.
        (("22:00", "07:00"), "Australia/Lord_Howe", "2026-10-03T12:00:00", "2026-10-03T20:00:00"),
        (("00:00", "06:00"), "Africa/Cairo", "2026-04-23T22:15:00", "2026-04-24T03:00:00"),
        (("00:00", "23:59"), "UTC", "2026-06-01T23:59:30", None),
    ],
)
def test_when_they_end(hours: tuple[str, str], zone: str, now: str, end: str | None) -> None:
    quiet = read_quiet_hours(*hours, ZoneInfo(zone))
    assert quiet is not None
    assert quiet.until(ms(now)) == (ms(end) if end else 0)


def test_they_end_in_the_future_at_every_minute_of_a_year_of_changes() -> None:
    for zone in (BERLIN, "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "Asia/Kathmandu"):
        for hours in (("22:00", "07:00"), ("02:15", "02:45"), ("00:00", "03:00")):
            quiet = read_quiet_hours(*hours, ZoneInfo(zone))
            assert quiet is not None
            for now in range(ms("2026-01-01"), ms("2027-01-01"), 41 * 60_000):
                end = quiet.until(now)
                assert end == 0 or 0 < end - now <= 11 * 3_600_000


@pytest.mark.parametrize(
    "hours", [("22:00", ""), ("22", "07:00"), ("24:00", "07:00"), ("07:00", "07:00"), ("7:00", "8:00")]
)
def test_what_is_no_time_is_refused(hours: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput):
        read_quiet_hours(*hours, ZoneInfo("UTC"))
    assert read_quiet_hours("", "", ZoneInfo("UTC")) is None
