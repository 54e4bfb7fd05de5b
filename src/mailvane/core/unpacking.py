"""Gzip (RFC 1952) as a stream, in time linear in what comes in and goes out, however many members it has. Pure.

A member may be 20 bytes long and hold nothing, and a file may consist of a million of them: what is fed at once is
short, as the rest of it is copied for each member, and their number has a bound.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

from mailvane.core.errors import InvalidInput

MOST_MEMBERS = 10_000  # of one stream; programs that pack in blocks make one for each 64 KiB
MOST_RATIO = 200  # unpacked to packed
RATIO_MATTERS = 16 * 1024**2  # bytes
MAGIC = b"\x1f\x8b"
_FED = 4096  # packed bytes
_PIECE = 65_536  # unpacked bytes
_GZIP_ONLY = 31  # window bits of zlib for a gzip wrapping


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TooMuch(InvalidInput):
    """It unpacks to more than is accepted."""


def check_ratio(unpacked: int, packed: int) -> None:
    """Raises TooMuch."""
    if unpacked > RATIO_MATTERS and unpacked > MOST_RATIO * packed:
        raise TooMuch(f"it unpacks to more than {MOST_RATIO} times its size")


class Gunzip:
    """The content of a gzip stream. Reading raises InvalidInput where that is broken, or ends within a member."""

    def __init__(
        self, file: Stream, check: Callable[[int, int], None] = check_ratio, *, is_padded: bool = True
    ) -> None:
        """`check` is called with the bytes unpacked and packed so far, and raises where that is too much.

        What stands behind the last member is padding, or else makes the stream a broken one.
        """
        self._file = file
        self._check = check
        self._is_padded = is_padded
        self._engine = zlib.decompressobj(wbits=_GZIP_ONLY)
        self._waiting = b""
        self._members = 1
        self._packed = 0
        self._unpacked = 0
        self._over = False

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        while not self._over:
            piece = self._some(size)
            if piece:
                self._unpacked += len(piece)
                self._check(self._unpacked, self._packed)
                return piece
        return b""

    def _some(self, size: int) -> bytes:
        try:
            piece = self._engine.decompress(self._waiting or self._more(), size)
        except zlib.error as error:
            raise InvalidInput(f"the gzip file is broken: {error}") from None
        self._waiting = self._engine.unconsumed_tail
        if self._engine.eof:
            self._next_member()
        return piece

    def _fed(self) -> bytes:
        packed = self._file.read(_FED)
        self._packed += len(packed)
        return packed

    def _more(self) -> bytes:
        packed = self._fed()
        if not packed:
            raise InvalidInput(f"the gzip file is cut off after {self._packed:,} bytes: nothing of it was kept")
        return packed

    def _next_member(self) -> None:
        rest = self._engine.unused_data
        if len(rest) < len(MAGIC):
            rest += self._fed()
        if not rest.startswith(MAGIC):
            self._over = True
            if rest and not self._is_padded:
                raise InvalidInput("the gzip file is broken: something stands behind its end")
            return
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise TooMuch(f"the gzip file has more than {MOST_MEMBERS:,} members")
        self._engine, self._waiting = zlib.decompressobj(wbits=_GZIP_ONLY), rest


def gunzipped(packed: bytes, most: int) -> bytes:
    """All of it. Raises TooMuch, where it is more than `most` bytes or out of proportion, and InvalidInput."""
    stream = Gunzip(BytesIO(packed), is_padded=False)
    unpacked = bytearray()
    while piece := stream.read(_PIECE):
        unpacked += piece
        if len(unpacked) > most:
            raise TooMuch(f"it unpacks to more than {most:,} bytes")
    return bytes(unpacked)
