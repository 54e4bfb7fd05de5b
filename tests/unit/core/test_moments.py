"""Dates and times of ISO 8601 in milliseconds."""

from __future__ import annotations

import pytest

from mailvane.core.moments import iso_ms, iso_text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00.001Z", 1),
        (" 1970-01-01 00:00:01 ", 1000),
        ("1970-01-02", 86_400_000),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59Z", -1000),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text: str, ms: int) -> None:
    assert iso_ms(text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-01-01T25:00:00Z", "\0"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|must be|hour|month"):
        iso_ms(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_000_000_006, "2026-11-18T11:06:40.006Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_year_has_four_digits(ms: int, text: str) -> None:
    assert iso_text(ms) == text
