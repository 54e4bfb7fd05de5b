"""Records one a line, times in both spellings, and keys that stay the same."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.reputation.sources.json_lines import LONGEST_LINE, digest, moment_ms, records


class Pair(msgspec.Struct):
    a: int
    b: str = ""


def read(raw: bytes) -> list[tuple[str, Pair]]:
    return list(records(io.BytesIO(raw), "x.jsonl", Pair))


def test_each_line_is_a_record_and_empty_ones_are_none() -> None:
    assert read(b'{"a":1}\r\n\n  \n{"a":2,"b":"\xc3\xa9","more":[]}') == [
        ("x.jsonl, line 1", Pair(1)),
        ("x.jsonl, line 4", Pair(2, "é")),
    ]


@pytest.mark.parametrize("raw", [b"{", b'{"a":"1"}', b"[1]", b"\xff", b'{"a":1,"b":"\xff"}', b"[" * 5000])
def test_what_is_no_record_is_refused_with_its_line(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"x\.jsonl, line 2: "):
        read(b'{"a":1}\n' + raw)


def test_a_line_without_end_is_refused_before_it_is_held() -> None:
    file = io.BytesIO(b" " * (3 * LONGEST_LINE))
    with pytest.raises(InvalidInput, match="longer than"):
        list(records(file, "x", Pair))
    assert file.tell() <= LONGEST_LINE + 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (1_795_262_400_000, 1_795_262_400_000),
        (1_795_262_400_000.9, 1_795_262_400_000),
        ("2026-11-21T12:00:00Z", 1_795_262_400_000),
        ("2026-11-21T14:00:00+02:00", 1_795_262_400_000),
        (" 2026-11-21 12:00:00.250 ", 1_795_262_400_250),
    ],
)
def test_a_time_is_milliseconds_or_iso(told: float | str, expected: int) -> None:
    assert moment_ms(told) == expected


@pytest.mark.parametrize("told", ["", "yesterday", 0, -1, float("nan"), float("inf"), 1e300, "1969-12-31T00:00:00Z"])
def test_what_is_no_time_is_refused(told: float | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment_ms(told)


@given(st.one_of(st.text(max_size=30), st.floats()))
def test_any_time_is_read_or_refused(told: float | str) -> None:
    try:
        assert moment_ms(told) > 0
    except ValueError:
        return


def test_a_key_depends_on_every_part() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("ab", ""), digest("b", "a")}) == 3
