"""A bar for each day as a small PNG (W3C PNG, indexed colour), for mails: their readers show no SVG. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import repeat

DAYS = 28
_BAR, _GAP, _HEIGHT, _MARGIN = 14, 4, 72, 4  # pixels
WIDTH = DAYS * (_BAR + _GAP) + _GAP
HEIGHT = _HEIGHT + 2 * _MARGIN
# Background (transparent), bar, bar of the newest day, base line, and the mark of a day that is unknown.
_PALETTE = (0xFFFFFF, 0x8FA3B5, 0xB45309, 0xC5CCD3, 0xE0B252)
_TRANSPARENT = bytes([0])
_NOTHING, _PAST, _NEWEST, _BASE, _UNKNOWN = range(len(_PALETTE))


def chart(values: Sequence[int | None]) -> bytes:
    """The newest value last; None, what is unknown, is a mark below the base line, and 0 nothing."""
    shown = [*repeat(0, max(0, DAYS - len(values))), *values[-DAYS:]]
    top = max((value for value in shown if value), default=0)
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    base = HEIGHT - _MARGIN
    rows[base][:] = bytes([_BASE]) * WIDTH
    for place, value in enumerate(shown):
        left = _GAP + place * (_BAR + _GAP)
        if value is None:
            _fill(rows, left, base + 1, base + 3, _UNKNOWN)
        elif value:
            height = max(1, round(_HEIGHT * value / top))  # one that is not 0 is seen
            _fill(rows, left, base - height, base, _NEWEST if place == DAYS - 1 else _PAST)
    return _png(rows)


def _fill(rows: Sequence[bytearray], left: int, first: int, end: int, colour: int) -> None:
    for row in rows[first:end]:
        row[left : left + _BAR] = bytes([colour]) * _BAR


def _png(rows: Sequence[bytearray]) -> bytes:
    palette = b"".join(struct.pack(">I", colour)[1:] for colour in _PALETTE)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in rows)  # each row without a filter
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"tRNS", _TRANSPARENT), (b"IDAT", zlib.compress(pixels, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
