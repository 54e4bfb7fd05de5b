"""What a row of SNDS says, by tables of rows."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.reputation.sources.snds.tables import (
    MOST_IN_RANGE,
    BlockedRange,
    Period,
    blocked_ranges,
    periods,
    rows,
    says_blocked,
)

PACIFIC = ZoneInfo("America/Los_Angeles")
BEGINNING = "192.0.2.7,11/18/2026 1:00 AM,11/18/2026 11:00 PM"
DAY = 1_794_960_000_000  # 2026-11-18T00:00Z
ROW = (
    f"{BEGINNING},1000,990,950,YELLOW,0.3%,11/18/2026 2:00 PM,11/18/2026 3:00 PM,2,"
    '"mx, one",<info@shop.example>,"said ""no"""'
)


def read(text: str) -> list[Period]:
    return periods(rows(text), PACIFIC)


def test_a_full_row_is_read_to_its_last_cell() -> None:
    (period,) = read(ROW + "\r\n")
    assert (period.address, period.day) == ("192.0.2.7", DAY)
    assert period.data == {
        "period_from": DAY + 9 * 3_600_000,
        "period_to": DAY + 31 * 3_600_000,
        "rcpt_commands": 1000,
        "data_commands": 990,
        "recipients": 950,
        "filter_result": "YELLOW",
        "bounce": 50,
        "bounce_rate": 5.0,
        "complaint_rate": 0.3,
        "complaint_rate_upper_bound": False,
        "trap_period_from": DAY + 22 * 3_600_000,
        "trap_period_to": DAY + 23 * 3_600_000,
        "trap_hits": 2,
        "sample_helo": "mx, one",
        "sample_mail_from": "<info@shop.example>",
        "comments": 'said "no"',
    }


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (
            "",
            {
                "rcpt_commands": None,
                "bounce_rate": None,
                "filter_result": None,
                "complaint_rate": None,
                "trap_hits": None,
            },
        ),
        (",100,100,100,green", {"filter_result": "GREEN", "bounce": 0, "trap_hits": None}),
        (",0,0,0,GREEN,< 0.1%", {"bounce_rate": 0.0, "complaint_rate": 0.1, "complaint_rate_upper_bound": True}),
        (",10,10,12,GREEN,<0.1%", {"bounce": 0, "complaint_rate": 0.1, "complaint_rate_upper_bound": True}),
        (',"1,234",10,1000,RED,100%,,,0,,', {"rcpt_commands": 1234, "complaint_rate": 100.0, "trap_hits": 0}),
        (",10,10,10,RED,1,,", {"complaint_rate": 1.0, "trap_period_from": None, "trap_hits": None}),
        (",10,10,10,RED,1,,,", {"trap_hits": 0}),
    ],
)
def test_short_rows_leave_open_what_they_do_not_say(rest: str, expected: dict[str, Any]) -> None:
    (period,) = read(BEGINNING + rest)
    assert {name: period.data[name] for name in expected} == expected


def test_headings_and_empty_lines_are_passed_over() -> None:
    assert len(read(f"IP Address,Activity start\n\n{ROW}\n,,,\n")) == 1


def test_rows_of_one_day_are_put_together_and_the_worse_counts() -> None:
    other = "192.0.2.7,11/18/2026 11:00 AM,11/18/2026 11:30 PM,500,500,500,RED,< 0.1%,,,1"
    (period,) = read(f"{ROW}\n{other}\n")
    assert period.data["rcpt_commands"] == 1500
    assert period.data["bounce_rate"] == pytest.approx(3.3333)
    assert period.data["filter_result"] == "RED"
    assert (period.data["complaint_rate"], period.data["complaint_rate_upper_bound"]) == (0.3, False)
    assert period.data["trap_hits"] == 3
    assert period.data["period_to"] == DAY + 31.5 * 3_600_000


def test_a_summer_stamp_is_read_in_summer_time() -> None:
    (period,) = read("192.0.2.7,7/1/2026 12:00 AM,7/1/2026 12:00 PM")
    assert period.data["period_from"] == 1_782_889_200_000  # 07:00Z
    assert period.data["period_to"] - period.data["period_from"] == 12 * 3_600_000


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("nonsense,1,2", "no address"),
        ("192.0.2.7", "began and ended"),
        ("192.0.2.7,yesterday,today", "no time"),
        ("192.0.2.7,13/13/2026 1:00 AM,11/18/2026 1:00 AM", "month"),
        ("192.0.2.7,11/18/2026 13:00 PM,11/18/2026 1:00 AM", "no time"),
        (f"{BEGINNING},-4", "no count"),
        (f"{BEGINNING},1,1,1,PURPLE", "no filter result"),
        (f"{BEGINNING},1,1,1,RED,many", "no rate"),
        (f"{BEGINNING},1,1,1,RED,101%", "no rate"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_line(row: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=f"line 2: .*{told}"):
        read(f"{ROW}\n{row}\n")


def test_blocked_ranges_are_recognised_and_read() -> None:
    told = list(
        rows('192.0.2.8,192.0.2.9,Yes,"Blocked due to user complaints, or other evidence"\n192.0.2.1,192.0.2.1,No\n')
    )
    assert says_blocked(told[0][1])
    assert not says_blocked(next(rows(ROW))[1])
    first, second = blocked_ranges(told)
    assert first.addresses() == ["192.0.2.8", "192.0.2.9"]
    assert (first.blocked, first.reason) == ("Yes", "Blocked due to user complaints, or other evidence")
    assert second.blocked == "No"


@pytest.mark.parametrize(
    "row", ["192.0.2.8,x,Yes", "192.0.2.8", "192.0.2.9,192.0.2.8,Yes", "192.0.2.9,2001:db8::1,Yes"]
)
def test_a_range_that_is_none_is_refused(row: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        blocked_ranges(rows(row))


def test_of_a_vast_range_only_known_addresses_are_told() -> None:
    vast = BlockedRange("10.0.0.0", "10.255.255.255")
    assert vast.addresses(["10.1.2.3", "192.0.2.1", "2001:db8::1"]) == ["10.1.2.3"]
    assert len(BlockedRange("10.0.0.0", "10.0.15.255").addresses()) == MOST_IN_RANGE


CELL = st.one_of(
    st.sampled_from(
        ["192.0.2.1", "::1", "11/18/2026 1:00 AM", "1/1/1990", "0", "9" * 20, "RED", "< 0.1%", "<", "%", '"', "\0"]
    ),
    st.text(max_size=12),
)


@given(st.lists(st.lists(CELL, max_size=15).map(",".join), max_size=4).map("\n".join))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    for reading in (read, lambda given: blocked_ranges(rows(given))):
        try:
            reading(text)
        except InvalidInput:
            continue
