"""Years of stamps that name none, by the order of lines and files."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.maillog.postfix.stamps import Stamps
from mailvane.maillog.postfix.years import Survey, Written, first_times, rotation_day, rotation_of, survey

UTC_ZONE = ZoneInfo("UTC")
NOW = round(datetime(2026, 11, 27, tzinfo=UTC).timestamp() * 1000)


def log(*stamps: str) -> bytes:
    return "".join(f"{stamp} mx1 postfix/qmgr[1]: 4A0000A001: removed\n" for stamp in stamps).encode()


def days(*names: str) -> list[str]:
    return [f"{name} 12:00:00" for name in names]


def surveyed(text: bytes, step: int = 1 << 20) -> Survey:
    pieces = (text[start : start + step] for start in range(0, len(text), step))
    return survey(pieces, Stamps(NOW))


def years(files: dict[str, bytes], year: int | None = None, reference: int = NOW) -> dict[str, int]:
    """The year in which each file begins."""
    written = [Written(name, surveyed(text), reference) for name, text in files.items()]
    found = first_times(written, UTC_ZONE, year)
    return {name: datetime.fromtimestamp(time / 1000, UTC).year for name, time in found.items()}


@given(st.integers(1, 400))
def test_a_survey_sees_each_day_once_and_stops_at_a_year(step: int) -> None:
    text = log(*days("May 30", "May 30", "Jun  9"), "2024-06-10T09:00:00.123456+00:00", *days("Jun 11"))
    dated = round(datetime(2024, 6, 10, 9, 0, 0, 123_000, tzinfo=UTC).timestamp() * 1000)
    assert surveyed(text, step) == Survey(((5, 30), (6, 9)), dated)


def test_a_survey_bears_what_is_no_line_and_what_stands_before_a_stamp() -> None:
    text = (
        b"\n\x00\xff\nFeb 31 00:00:00 x\n<22>May  1 00:00:00 mx1 a: b\nmail-1  | May  2 00:00:00 mx1 a: b\n"
        + b"x" * 9000
    )
    assert surveyed(text).days == ((5, 1), (5, 2))
    assert surveyed(b"") == Survey((), None)


@given(st.integers(1, 400))
def test_a_survey_sees_each_day_behind_what_stands_before_every_stamp(step: int) -> None:
    text = log(*days("Nov 28", "Nov 28", "Dec 31", "Jan  1"))
    for before in (b"postfix-1  | ", b"<22>"):
        lines = b"".join(before + line for line in (b"it starts\n", *text.splitlines(keepends=True)))
        assert surveyed(lines, step).days == ((11, 28), (12, 31), (1, 1))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (days("Nov  1", "Nov 26"), 2026),
        (days("Nov 28", "Dec 31", "Jan  1", "Nov 20"), 2025),  # the first alone could not be told from this year's
        (days("Dec 31", "Jan  1", "Dec 31"), 2025),  # likewise
        (days("Jan  1", "Dec 31", "Jan  2"), 2026),  # one line of New Year's Eve came late
        (days("Mar  1", "Jan  1", "Feb  1"), 2026),  # in no order at all
        (days("Feb 28", "Feb 29", "Mar  1"), 2024),
        (days("Dec 31", "Jan  1", "Feb 29"), 2023),
        ([*days("May 30", "Jun  9"), "2024-06-10T09:00:00Z"], 2024),
        ([*days("Jun 20"), "2024-06-10T09:00:00Z"], 2023),
        ([*days("Dec 30", "Jan  1"), "2022-01-01T09:00:00Z"], 2021),
        (["2021-06-10T09:00:00Z", *days("Jun 11")], 2021),
    ],
)
def test_the_order_of_lines_tells_the_year(stamps: list[str], expected: int) -> None:
    assert years({"mail.log": log(*stamps)}) == {"mail.log": expected}


def test_a_rotated_file_ends_where_the_next_one_begins() -> None:
    files = {
        "mail.log": log("2024-06-10T09:00:00Z"),
        "mail.log.1": log(*days("May 30", "Jun  9")),
        "mail.log.2.gz": log(*days("Nov 28", "Jan  2", "May 30")),
        "mail.log.10.gz": log(*days("Nov 27")),
    }
    expected = {"mail.log": 2024, "mail.log.1": 2024, "mail.log.2.gz": 2023, "mail.log.10.gz": 2023}
    assert years(files) == expected
    assert years(dict(reversed(files.items()))) == expected


def test_a_file_that_adjoins_a_dated_one_is_the_one_before_it_whatever_it_is_called() -> None:
    files = {
        "old.txt": log(*days("Dec 20", "Jan  1")),
        "new.txt": log("2022-01-02T00:00:00Z"),
        "other": log(*days("Mar  1")),
    }
    assert years(files) == {"old.txt": 2021, "new.txt": 2022, "other": 2026}


def test_a_year_that_is_given_is_that_of_the_oldest_file_of_a_log() -> None:
    assert years({"mail.log.1": log(*days("Nov 28", "Dec 31")), "mail.log": log(*days("Jan  1"))}, 2019) == {
        "mail.log.1": 2019,
        "mail.log": 2020,
    }
    assert years({"a": log(*days("Feb 29"))}, 2020) == {"a": 2020}
    with pytest.raises(InvalidInput, match="29 February"):
        years({"a": log(*days("Feb 28", "Feb 29"))}, 2019)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("/var/log/mail.log.1", "/var/log/mail.log"),
        ("/var/log/mail.log.10.gz", "/var/log/mail.log.9.gz"),
        ("/var/log/mail.log-20240609.gz", "/var/log/mail.log-20240610"),
        ("/var/log/mail.log-20240609.gz", "/var/log/mail.log"),
        ("/var/log/maillog.old", "/var/log/maillog"),
        ("/var/log/mail.log.1.bz2", "/var/log/mail.log.0.bz2"),
    ],
)
def test_names_of_rotated_files_tell_their_order(older: str, newer: str) -> None:
    assert rotation_of(older)[0] == rotation_of(newer)[0]
    assert rotation_of(older)[1] < rotation_of(newer)[1]


def test_names_may_tell_the_day() -> None:
    found = rotation_day("/var/log/mail.log-20240610.gz")
    assert found is not None
    assert found.isoformat() == "2024-06-10"
    assert rotation_day("mail.log-99999999") is None
    assert rotation_day("mail.log.1") is None
    assert rotation_of("20240610")[0] == "20240610"
