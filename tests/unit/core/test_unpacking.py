"""Gzip as a stream: what is in it, what is too much, and that the time is linear whatever it consists of."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.unpacking import MOST_MEMBERS, Gunzip, TooMuch, gunzipped

EMPTY = gzip.compress(b"")
MEBIBYTE = 1024 * 1024


@given(st.lists(st.binary(max_size=10_000), min_size=1, max_size=30))
def test_every_member_is_unpacked_in_order(parts: list[bytes]) -> None:
    assert gunzipped(b"".join(map(gzip.compress, parts)), 10 * MEBIBYTE) == b"".join(parts)


@given(st.binary(max_size=20_000), st.integers(1, 5000))
def test_pieces_are_as_small_as_is_asked(content: bytes, size: int) -> None:
    stream = Gunzip(BytesIO(gzip.compress(content)))
    pieces = iter(lambda: stream.read(size), b"")
    assert b"".join(piece for piece in pieces if len(piece) <= size) == content


class Counted(BytesIO):
    """How much is read of it, and so how much work it makes at most."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.taken += len(piece)
        return piece


def test_members_that_hold_nothing_are_not_unpacked_for_ever() -> None:
    assert gunzipped(EMPTY * MOST_MEMBERS, 100) == b""
    packed = Counted(EMPTY * 1_000_000)
    with pytest.raises(TooMuch, match="members"):
        Gunzip(packed).read(100)
    assert packed.taken <= len(EMPTY) * (MOST_MEMBERS + 1000)


def test_so_little_is_fed_at_once_that_what_is_left_costs_little_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each member the rest of what was fed is copied: the sum is bounded by what is fed at once."""
    copied = 0
    inner = zlib.decompressobj

    class Engine:
        def __init__(self) -> None:
            self._inner = inner(wbits=31)

        def __getattr__(self, name: str) -> object:
            nonlocal copied
            found: object = getattr(self._inner, name)
            if isinstance(found, bytes):
                copied += len(found)
            return found

    monkeypatch.setattr("zlib.decompressobj", lambda wbits: Engine())
    sums = []
    for number in (1000, 2000, 4000):
        copied = 0
        gunzipped(EMPTY * number, 100)
        sums.append(copied)
    assert sums[2] < 2.5 * sums[1] < 6.25 * sums[0]


@pytest.mark.parametrize(
    "packed", [gzip.compress(b"\n" * (20 * MEBIBYTE)), gzip.compress(b"x" * MEBIBYTE) * 20], ids=["one", "many"]
)
def test_what_is_out_of_proportion_is_refused(packed: bytes) -> None:
    with pytest.raises(TooMuch, match="times its size"):
        gunzipped(packed, 1024 * MEBIBYTE)


def test_what_is_longer_than_is_accepted_is_refused() -> None:
    with pytest.raises(TooMuch, match="more than 99 bytes"):
        gunzipped(gzip.compress(b"x" * 100), 99)


@pytest.mark.parametrize(
    "packed",
    [b"", b"\x1f", b"plain", gzip.compress(b"x" * 100)[:-1], EMPTY + EMPTY[:5], EMPTY + b"rest", b"\0" + EMPTY],
    ids=["empty", "magic", "plain", "cut", "cut second member", "rest", "zero before"],
)
def test_what_is_broken_or_cut_off_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidInput):
        gunzipped(packed, 1000)


def test_a_file_may_be_padded() -> None:
    stream = Gunzip(BytesIO(gzip.compress(b"x") + b"\0" * 512))
    assert (stream.read(10), stream.read(10)) == (b"x", b"")
