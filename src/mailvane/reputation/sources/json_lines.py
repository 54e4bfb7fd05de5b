"""Files of JSON, one record a line, read without holding the file: what the collectors' imports have in common."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import iso_ms

MOST_LINES = 1_000_000
LONGEST_LINE = 1024 * 1024
_LATEST = 4_102_444_800_000  # the year 2100: whatever lies behind it was meant in another unit

_T = TypeVar("_T")


def records(file: BinaryIO, name: str, kind: type[_T]) -> Iterator[tuple[str, _T]]:
    """Each record behind its place, such as `hits.jsonl, line 3`. Raises InvalidInput, also after a part was read."""
    decoder = msgspec.json.Decoder(prepared(kind))
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        place = f"{name}, line {number}"
        if number > MOST_LINES:
            raise InvalidInput(f"{name}: more than {MOST_LINES:,} lines")
        if len(line) > LONGEST_LINE:
            raise InvalidInput(f"{place}: longer than {LONGEST_LINE:,} bytes")
        if line.strip():
            try:
                yield place, decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidInput(f"{place}: {error}") from None


def moment_ms(value: float | str) -> int:
    """Milliseconds since the epoch, or a date and time by ISO 8601, UTC unless it says otherwise. Raises ValueError."""
    if isinstance(value, str):
        value = iso_ms(value)
    if not math.isfinite(value) or not 1 <= value < _LATEST:
        raise ValueError(f"{value} is no time since 1970 in milliseconds")
    return int(value)


def digest(*parts: str) -> str:
    """The key of a record that brings no id: the same record has the same one."""
    return hashlib.blake2b("\x1f".join(parts).encode(errors="replace"), digest_size=12).hexdigest()
