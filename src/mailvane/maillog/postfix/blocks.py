"""The blocks in which a log is read, and where they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import NamedTuple

from mailvane.core.errors import InvalidInput
from mailvane.maillog.postfix.files import PIECE
from mailvane.maillog.postfix.plain.block import Block as PlainBlock

MOST_LINES = 160_000  # of a block: where lines are short, what is known of each takes more memory than its text
_BEGUN = 3  # blocks at first: two are cut side by side, and who has cut one goes on with the third
_WAITING = 1  # block that is cut while one is read; the text of one more would only lie in memory
_NOWHERE = 1 << 62  # behind every line
_SEARCHED = 8  # such a part of what was read, at its end, has the minutes of which one is chosen
_MINUTES = {"syslog": 12, "internet": 16}  # characters of a time until its minute: `Oct 20 06:07`, `2026-10-20T06:07`


class Block(NamedTuple):
    """Complete lines that follow each other in a file."""

    text: bytes
    cleaned: bytes  # the same, with line ends as Unix has them
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


def divided(texts: list[bytes], size: int, *, quietly: bool) -> tuple[bytes, bytes]:
    """The first of these lines, which make a block, and the others: so many bytes, where a size is wanted and met;
    else, where that is wanted, until a quiet minute near their end; else all of them."""
    if size:
        return parted(b"".join(texts), size)
    if not quietly:
        return b"".join(texts), b""
    enough, last = sum(map(len, texts)) // _SEARCHED, len(texts)
    while last and enough > 0:
        last -= 1
        enough -= len(texts[last])
    tail = b"".join(texts[last:])
    end = quiet_end(tail)
    return b"".join((*texts[:last], tail[:end])), tail[end:]


def parted(text: bytes, size: int) -> tuple[bytes, bytes]:
    """The first lines, of so many bytes, and the others; all are the first where no size is wanted or it is not met."""
    return (text[:size], text[size:]) if size and text[size - 1 : size] == b"\n" else (text, b"")


def shares(text: bytes) -> Iterator[bytes]:
    """Lines as blocks of much the same size, of about so many lines as a block may have."""
    size = len(text) // max(1, -(-text.count(b"\n") // MOST_LINES))
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + size - 1) + 1 or len(text)
        yield text[start:end]
        start = end


def quiet_end(text: bytes) -> int:
    """Where these lines, the last of a block, are best divided: at the end of a minute in which fewest were written.

    A mail that ends just before its block does is none for the plain path. All of them, where no minute ends.
    """
    length = _MINUTES["internet" if text[:1].isdigit() else "syslog"]
    end, minute, size = 0, b"-", 0
    chosen, least = 0, len(text)
    minutes = 0
    for line in text.split(b"\n"):
        if not line.startswith(minute) and line[length : length + 1] == b":":
            if minutes > 1 and size <= least:  # of the first, only a part is seen
                chosen, least = end, size
            minute, size, minutes = line[:length], 0, minutes + 1
        size += len(line) + 1
        end += len(line) + 1
    return chosen or len(text)


def slices(text: bytes) -> Iterator[tuple[int, int]]:
    """Where pieces of a text begin and end that are decoded at a time: at the end of a line."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE) + 1 or len(text)
        yield start, end
        start = end


def lines_at(text: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """The lines of a text at these places, which ascend; the first line has 0."""
    wanted = iter(places)
    place, before = next(wanted, _NOWHERE), 0
    for start, end in slices(text):
        lines = text[start:end].split(b"\n")
        count = len(lines) - (not lines[-1])
        while place < before + count:
            yield lines[place - before]
            place = next(wanted, _NOWHERE)
        before += count
