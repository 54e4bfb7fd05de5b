"""Dates and times of ISO 8601 in milliseconds."""

from __future__ import annotations

import pytest

from mailvane.core.moments import iso_ms


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
