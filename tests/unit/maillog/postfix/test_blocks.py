"""Where blocks end: with a minute in which few lines were written, and never within a line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.maillog.postfix import blocks
from mailvane.maillog.postfix.blocks import Block, ahead, divided, lines_at, quiet_end, shares

_LINES = 400


def log(minutes: list[int], stamp: str = "Oct  3 04:{:02}:00 mx1 postfix/qmgr[4]: 4A0000A001: removed") -> bytes:
    """So many lines in each minute."""
    return "".join(f"{stamp.format(minute)}\n" * count for minute, count in enumerate(minutes)).encode()


@pytest.mark.parametrize(
    "stamp",
    ["Oct  3 04:{:02}:00 mx1 x[1]: y", "2026-10-03T04:{:02}:00.5+00:00 mx1 x[1]: y"],
)
def test_a_block_ends_with_the_quietest_minute_of_its_last_eighth(stamp: str) -> None:
    minutes = [_LINES, 1, _LINES, 20, 3, 20, 9]
    texts = log(minutes, stamp).splitlines(keepends=True)
    assert divided(texts, 0, quietly=True) == (log(minutes[:5], stamp), b"".join(texts[sum(minutes[:5]) :]))


def test_a_block_that_was_begun_ends_where_it_did_if_a_line_does() -> None:
    texts = log([20, 3, 20]).splitlines(keepends=True)
    text = b"".join(texts)
    assert divided(texts, len(texts[0]), quietly=True) == (texts[0], text[len(texts[0]) :])
    assert divided(texts, len(texts[0]) - 1, quietly=True) == (text, b"")
    assert divided(texts, 0, quietly=False) == (text, b"")


def test_of_equally_quiet_minutes_the_last_is_chosen() -> None:
    minutes = [_LINES, 20, 3, 9, 3, 20]
    assert quiet_end(log(minutes)) == len(log(minutes[:5]))


@pytest.mark.parametrize(
    "text", [b"", b"\n", log([_LINES]), log([_LINES, 20]), b'{"log": "x"}\n' * _LINES, b"no stamp: at all\n" * _LINES]
)
def test_where_no_minute_ends_near_the_end_all_lines_are_the_block(text: bytes) -> None:
    assert quiet_end(text) == len(text)


def test_a_line_without_a_time_belongs_to_the_minute_around_it() -> None:
    minutes = log([_LINES, 20, 5, 20])
    odd = minutes.replace(b"04:02:00", b"04:02:00 \n-- mark --\nOct  3 04:02:00", 1)
    assert odd[: quiet_end(odd)] == odd[: odd.index(b"Oct  3 04:03")]


@given(st.lists(st.one_of(st.integers(0, 59).map(lambda m: log([0] * m + [1])), st.binary(max_size=40)), max_size=60))
def test_a_block_ends_with_a_line_whatever_is_in_it(lines: list[bytes]) -> None:
    first, rest = divided([line.rstrip(b"\n") + b"\n" for line in lines] + [b"\n"], 0, quietly=True)
    assert first + rest == b"".join(line.rstrip(b"\n") + b"\n" for line in lines) + b"\n"
    assert first.endswith(b"\n")


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"") + b"\n")), st.integers(1, 9))
def test_many_lines_are_several_blocks(lines: list[bytes], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MOST_LINES", most)
        found = list(shares(b"".join(lines)))
    assert b"".join(found) == b"".join(lines)
    assert all(block.endswith(b"\n") for block in found)
    assert len(found) <= -(-len(lines) // most)


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), min_size=1), st.data(), st.booleans())
def test_lines_are_found_by_their_places(lines: list[bytes], data: st.DataObject, ends: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ends or not lines[-1] else b"")
    places = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "PIECE", data.draw(st.integers(1, 40)))
        assert list(lines_at(text, places)) == [lines[place] for place in places]


def test_blocks_come_in_their_order_and_the_next_is_begun_before_one_is_read() -> None:
    begun: list[int] = []

    def made() -> Iterator[Block]:
        for number in range(5):
            begun.append(number)
            yield Block(b"", b"", number, 0)

    seen = [(block.lines, len(begun)) for block in ahead(made())]
    assert seen == [(0, 3), (1, 3), (2, 4), (3, 5), (4, 5)]
