"""The blocks in which a log is read, and where they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice
from typing import NamedTuple

from mailvane.core.errors import InvalidInput
from mailvane.maillog.postfix.files import PIECE
from mailvane.maillog.postfix.plain.block import Block as PlainBlock

MOST_LINES = 160_000  # of a block: where lines are short, what is known of each takes more memory than its text
_BEGUN = 3  # blocks at first: two are cut side by side, and who has cut one goes on with the third
_WAITING = 1  # block that is cut while one is read; the text of one more would only lie in memory
_SEARCHED = 8  # such a part of a block, at its end, has the minutes of which one is chosen
_MINUTES = {"syslog": 12, "internet": 16}  # characters of a time until its minute: `Oct 20 06:07`, `2026-10-20T06:07`


class Block(NamedTuple):
    """Complete lines that follow each other in a file."""

    text: bytes
    lines: int  # that have an end
    dropped: int  # bytes before its end that are not among them
    consumed: int = 0  # bytes on disk until there
    is_last: bool = False
    damage: InvalidInput | None = None  # what keeps from reading on
    cutting: Future[PlainBlock | None] | None = None


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The next blocks are cut while this one is read: nobody waits for the one that is read to be done with."""
    begun = deque(islice(blocks, _BEGUN))
    while begun:
        yield begun.popleft()  # kept by no name: its text is large
        if len(begun) <= _WAITING:
            begun.extend(islice(blocks, 1))


def parted(text: bytes, size: int) -> tuple[bytes, bytes]:
    """The first lines, of so many bytes, and the others; all are the first where no size is wanted or it is not met."""
    return (text[:size], text[size:]) if size and text[size - 1 : size] == b"\n" else (text, b"")


def quiet_end(text: bytes) -> int:
    """How many bytes of these lines make a block: until the end of a minute, near theirs, in which fewest were written.

    A mail that ends just before its block does is none for the plain path. 0: all of them, as no minute ends there.
    """
    length = _MINUTES["internet" if text[:1].isdigit() else "syslog"]
    start = text.find(b"\n", len(text) - len(text) // _SEARCHED) + 1
    end, minute, size = start, b"-", 0
    chosen, least = 0, len(text)
    minutes = 0
    for line in text[start:].split(b"\n"):
        if not line.startswith(minute) and line[length : length + 1] == b":":
            if minutes > 1 and size <= least:  # of the first, only a part is seen
                chosen, least = end, size
            minute, size, minutes = line[:length], 0, minutes + 1
        size += len(line) + 1
        end += len(line) + 1
    return chosen


def slices(text: bytes) -> Iterator[tuple[int, int]]:
    """Where pieces of a text begin and end that are decoded at a time: at the end of a line."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE) + 1 or len(text)
        yield start, end
        start = end
