"""Queue ids have the very form that Postfix gives them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from mailvane_demo.world.queue_ids import long_queue_id, short_queue_id

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
MOMENTS = some.integers(min_value=1_000_000_000_000_000, max_value=3_000_000_000_000_000)
INODES = some.integers(min_value=1, max_value=2**40)


def value(digits: str, base: int) -> int:
    total = 0
    for digit in digits:
        total = total * base + DIGITS.index(digit)
    return total


def test_a_long_id_is_the_one_that_a_real_postfix_gave() -> None:
    assert long_queue_id(1_795_220_436_673_184, 2_147_133) == "4jWXsw4mxrzJ9Td"


def test_a_short_id_is_microseconds_and_inode_in_hexadecimal() -> None:
    assert short_queue_id(1_795_220_741_761_234, 0x224766) == "B9D92224766"


@given(MOMENTS, INODES)
def test_a_long_id_tells_the_moment_and_the_inode(micros: int, inode: int) -> None:
    queue_id = long_queue_id(micros, inode)
    assert value(queue_id[:6], 52) * 1_000_000 + value(queue_id[6:10], 52) == micros
    assert queue_id[10] == "z"
    assert value(queue_id[11:], 51) == inode


@given(MOMENTS, INODES)
def test_a_short_id_comes_back_after_whole_seconds(micros: int, inode: int) -> None:
    assert short_queue_id(micros, inode) == short_queue_id(micros + 7_000_000, inode)
    assert long_queue_id(micros, inode) != long_queue_id(micros + 7_000_000, inode)
