"""Stamps without a year, with one, with a zone, across New Year and on leap days."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.sources.postfix_log.stamps import Stamps


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
