"""Stamps without a year, with one, with a zone, across New Year and on leap days."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.postfix.stamps import Stamps


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("stamp", "reference", "expected"),
    [
        ("Oct 10 10:00:59", "2026-10-10T12:00:00Z", "2026-10-10T10:00:59Z"),
        ("Oct  1 10:00:59", "2026-10-10T12:00:00Z", "2026-10-01T10:00:59Z"),
        ("Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"),
        ("Jan  1 00:00:00", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),  # the writer's clock is a little ahead
        ("Jan  2 00:00:00", "2026-12-31T23:59:59Z", "2026-01-02T00:00:00Z"),
        ("Feb 29 12:00:00", "2027-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2104-02-01T00:00:00Z", "2096-02-29T12:00:00Z"),
        ("Oct 10 10:00:60", "2026-10-10T12:00:00Z", "2026-10-10T10:01:00Z"),
    ],
)
def test_a_stamp_without_a_year_is_the_latest_that_can_have_been_written(
    stamp: str, reference: str, expected: str
) -> None:
    assert Stamps(milliseconds(reference)).syslog(stamp) == milliseconds(expected)


@pytest.mark.parametrize(
    "stamp",
    ["", "Oct 10 10:00", "Okt 10 10:00:00", "Feb 30 10:00:00", "Oct 10 24:00:00", "Oct 10 10:00:61", "Oct 10 10-00-00",
     "Oct xx 10:00:00", "Oct 10 10:0٣:00", "Oct 10 10:00:0٣"],
)  # fmt: skip
def test_what_is_not_a_stamp_has_no_time(stamp: str) -> None:
    assert Stamps(milliseconds("2026-10-10T12:00:00Z")).syslog(stamp) is None


def test_stamps_without_a_zone_are_read_in_the_zone_of_the_log() -> None:
    stamps = Stamps(milliseconds("2026-10-10T12:00:00Z"), ZoneInfo("Europe/Berlin"))
    assert stamps.syslog("Oct 10 10:00:00") == milliseconds("2026-10-10T08:00:00Z")
    assert stamps.syslog("Jan 10 10:00:00") == milliseconds("2026-01-10T09:00:00Z")
    assert stamps.internet("2026-10-10T10:00:00") == milliseconds("2026-10-10T08:00:00Z")
    assert stamps.internet("2026-10-10T10:00:00Z") == milliseconds("2026-10-10T10:00:00Z")


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-10-10T10:00:00.123456+02:00", "2026-10-10T08:00:00.123Z"),
        ("2026-10-10T10:00:00.123456789Z", "2026-10-10T10:00:00.123Z"),
        ("2026-10-10T10:00:00-0330", "2026-10-10T13:30:00Z"),
    ],
)
def test_internet_stamps_name_their_moment(stamp: str, expected: str) -> None:
    assert Stamps(0).internet(stamp) == milliseconds(expected)


@pytest.mark.parametrize(
    "stamp", ["", "2026-10-10", "2026-13-10T10:00:00Z", "postfix/smtpd[12345]:", "0001-01-01T00:00:0"]
)
def test_what_is_not_an_internet_stamp_has_no_time(stamp: str) -> None:
    assert Stamps(0).internet(stamp) is None


BERLIN = ZoneInfo("Europe/Berlin")
JULY = milliseconds("2027-07-01T00:00:00Z")


def in_order(stamps: Stamps, *lines: str) -> list[str]:
    """What stamps mean that follow one another, as time of day in UTC."""
    times = [stamps.internet(line) if line[4] == "-" else stamps.syslog(line) for line in lines]
    assert None not in times
    return [datetime.fromtimestamp((time or 0) / 1000, UTC).strftime("%H:%M:%S") for time in times]


def test_an_hour_that_comes_twice_is_told_by_the_order_of_lines() -> None:
    lines = [f"Oct 25 {clock}" for clock in ("01:59:59", "02:58:00", "02:58:31", "02:02:30", "02:58:00", "03:10:00")]
    expected = ["23:59:59", "00:58:00", "00:58:31", "01:02:30", "01:58:00", "02:10:00"]
    assert in_order(Stamps(JULY, BERLIN), *lines) == expected
    written_out = [f"2026-10-25T{line[7:]}" for line in lines]
    assert in_order(Stamps(JULY, BERLIN), *written_out) == expected


def test_half_an_hour_may_come_twice_and_lines_of_one_minute_in_any_order() -> None:
    howe = Stamps(JULY, ZoneInfo("Australia/Lord_Howe"))
    lines = ("01:20:00", "01:59:30", "01:59:00", "01:40:00", "01:59:59", "02:00:00")
    assert in_order(howe, *(f"Apr  4 {clock}" for clock in lines)) == [
        "14:20:00", "14:59:30", "14:59:00", "15:10:00", "15:29:59", "15:30:00",
    ]  # fmt: skip


def test_the_hour_comes_twice_each_year_anew() -> None:
    stamps = Stamps(JULY, BERLIN, near=milliseconds("2025-10-20T00:00:00Z"))
    assert in_order(stamps, "Oct 26 02:50:00", "Oct 26 02:10:00") == ["00:50:00", "01:10:00"]
    assert in_order(stamps, "Mar  1 00:00:00", "Oct 25 02:05:00") == ["23:00:00", "00:05:00"]


def test_a_line_that_was_just_written_is_of_the_hour_that_it_is() -> None:
    stamps = Stamps(milliseconds("2026-10-25T01:20:00Z"), BERLIN)
    stamps.after = milliseconds("2026-10-25T01:19:59Z")
    assert in_order(stamps, "Oct 25 02:20:00") == ["01:20:00"]
    stamps = Stamps(milliseconds("2026-10-25T00:20:00Z"), BERLIN)
    stamps.after = milliseconds("2026-10-25T00:19:59Z")
    assert in_order(stamps, "Oct 25 02:20:00") == ["00:20:00"]
    late = Stamps(milliseconds("2026-10-25T00:55:00Z"), BERLIN)  # syslog held this line back for long
    late.after = milliseconds("2026-10-25T00:50:00Z")
    assert in_order(late, "Oct 25 02:20:00") == ["00:20:00"]


def test_an_hour_that_is_left_out_is_read_with_the_offset_of_before() -> None:
    stamps = Stamps(JULY, BERLIN)
    lines = ("01:59:59", "02:30:00", "03:00:00")
    assert in_order(stamps, *(f"Mar 28 {clock}" for clock in lines)) == ["00:59:59", "01:30:00", "01:00:00"]


def test_after_a_line_of_another_year_a_stamp_is_of_the_year_nearest_to_it() -> None:
    stamps = Stamps(JULY, near=milliseconds("2021-11-20T00:00:00Z"))
    days = ("Nov 20", "Dec 31", "Jan  1", "Dec 31", "Jan  2", "Jun 30", "Dec 20", "Jan  3", "Feb 28", "Mar  1")
    found = [stamps.syslog(f"{day} 12:00:00") for day in days]
    years = [2021, 2021, 2022, 2021, 2022, 2022, 2022, 2023, 2023, 2023]
    assert [datetime.fromtimestamp((time or 0) / 1000, UTC).year for time in found] == years
    assert stamps.internet("2024-02-01T00:00:00Z")
    assert stamps.syslog("Feb 29 12:00:00") == milliseconds("2024-02-29T12:00:00Z")


@pytest.mark.parametrize(
    "stamp",
    [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "1970-01-01T00:00:00",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_a_time_at_which_no_mail_server_ran_is_no_time(stamp: str) -> None:
    assert Stamps(JULY, BERLIN).internet(stamp) is None


@given(st.datetimes(datetime(2000, 1, 2), datetime(2090, 1, 1)), st.integers(min_value=0, max_value=360 * 86_400))  # noqa: DTZ001
def test_any_stamp_is_found_again_within_a_year(moment: datetime, age: int) -> None:
    written = int(moment.replace(tzinfo=UTC).timestamp())
    stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
    assert Stamps((written + age) * 1000).syslog(stamp) == written * 1000


@given(st.text(max_size=30))
def test_no_text_is_too_strange(text: str) -> None:
    stamps = Stamps(milliseconds("2026-10-10T12:00:00Z"))
    stamps.syslog(text)
    stamps.syslog(text[:15].ljust(15, ":"))
    stamps.internet(text)
