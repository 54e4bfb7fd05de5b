"""Dates as people and PHP write them, against the table of cases and against random text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.maillog.dates import MAX_SECONDS, earliest, latest

ZONE = ZoneInfo("America/New_York")
NOW = int(datetime(2024, 1, 17, 15, 30, 45, tzinfo=ZONE).timestamp() * 1000) + 321
CASES: list[dict[str, Any]] = yaml.load(
    Path("tests/rules/dates.yaml").read_text(), Loader=yaml.BaseLoader
)  # everything is text

PHRASES = """
now today yesterday tomorrow midnight noon monday last next this first second day days week month year of ago at +1 -1 3
12 2024 31 2024-01-31 15.01.2024 10:30 pm 4pm Z +0200 EST Europe/Berlin jan december @5 T , - / 1e9 13/1
"""
WORDS = st.sampled_from(PHRASES.split())


def shown(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("case", [case for case in CASES if "start" in case], ids=lambda case: case["text"])
def test_a_text_means_what_the_table_says(case: dict[str, str]) -> None:
    assert shown(earliest(case["text"], NOW, ZONE)) == case["start"]
    assert shown(latest(case["text"], NOW, ZONE)) == case.get("end", case["start"])


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["text"])
def test_a_text_that_is_no_date_is_refused(case: dict[str, str]) -> None:
    for read in (earliest, latest):
        with pytest.raises(InvalidInput, match=case["error"]):
            read(case["text"], NOW, ZONE)


def test_every_case_is_judged_once() -> None:
    assert len({case["text"] for case in CASES}) == len(CASES)
    assert all(("start" in case) != ("error" in case) for case in CASES)


def test_a_second_is_taken_in_whole() -> None:
    assert earliest("1704067200", NOW, ZONE) == 1_704_067_200_000
    assert latest("1704067200", NOW, ZONE) == 1_704_067_200_999


def test_the_zone_of_the_server_rules_dates_without_one() -> None:
    berlin = earliest("2024-01-15", NOW, ZoneInfo("Europe/Berlin"))
    assert earliest("2024-01-15", NOW, ZONE) - berlin == 6 * 3_600_000


def test_hours_from_now_pass_across_a_clock_change_and_hours_from_a_date_are_of_its_clock() -> None:
    """PHP counts the second so; the first is what somebody means who looks at the last three hours."""
    change = 1_710_054_000_000  # 2024-03-10 03:00 in New York, which was 02:00
    assert earliest("3 hours ago", change + 60_000, ZONE) == change + 60_000 - 3 * 3_600_000
    assert earliest("2024-03-10 00:30:00 +3 hours", NOW, ZONE) == change + 30 * 60_000


def test_now_is_now_in_an_hour_that_comes_twice() -> None:
    first = 1_730_611_800_000  # 2024-11-03 01:30 in New York, for the first time
    for now in (first, first + 3_600_000):
        assert earliest("now", now, ZONE) == now
        assert earliest("5 minutes ago", now, ZONE) == now - 300_000


@given(st.integers(0, MAX_SECONDS))
def test_every_timestamp_is_itself(seconds: int) -> None:
    assert earliest(str(seconds), NOW, ZONE) == seconds * 1000


@given(st.integers(1, MAX_SECONDS).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_every_iso_time_with_a_zone_is_itself(moment: datetime) -> None:
    assert earliest(moment.isoformat(), NOW, ZONE) == int(moment.timestamp()) * 1000


@given(st.dates(date(1971, 1, 1), date(2285, 1, 1)))
def test_every_day_starts_where_the_one_before_ends(day: date) -> None:
    following = (day + timedelta(days=1)).isoformat()
    assert latest(day.isoformat(), NOW, ZONE) + 1 == earliest(following, NOW, ZONE)


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=6).map(" ".join), st.lists(WORDS, max_size=5).map("".join))
)
def test_any_text_is_a_date_or_is_refused(text: str) -> None:
    try:
        first, last = earliest(text, NOW, ZONE), latest(text, NOW, ZONE)
    except InvalidInput:
        return
    assert 0 <= first <= last <= MAX_SECONDS * 1000 + 999
