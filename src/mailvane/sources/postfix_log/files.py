"""Log files as streams of bytes: plain, gzip, bzip2, xz or standard input, told apart by content, not by name.

Nothing here knows what a line means. A damaged archive gives all that could be read, then one clear error.
"""

from __future__ import annotations

import bz2
import lzma
import os
import re
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from mailvane.errors import InvalidInput

STDIN = "-"
# Bytes of text whose events are told together: larger blocks make fewer, larger parts, which cost the mail log less.
BLOCK = 24 << 20
PIECE = 256 << 10  # bytes in memory at a time
TAIL = 4096  # bytes before a position that prove that a file is the one that was read
_ARCHIVE_BLOCK = 16 << 10  # small, so that no archive can unfold into much at once
_LONGEST_FIRST_LINE = 64 << 10
_PAUSE_IN_PIPE = 0.02  # seconds
_DAMAGE = (zlib.error, lzma.LZMAError, OSError, EOFError)
_ROTATED = re.compile(r"[.-]\d+(?:[.-].*)?$|\.old$")


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_FORMATS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
)


class LogStream:
    """The text of one log file, front to back."""

    def __init__(self, name: str, file: IO[bytes], size: int) -> None:
        self.name = name
        self.size = size  # bytes on disk; 0 for standard input
        self.eager = size == 0 and name == STDIN
        self._file = file
        self._ahead = b""
        start = b"" if self.eager else file.read(6)
        self._make = next((make for magic, make in _FORMATS if start.startswith(magic)), None)
        if not self.eager:
            file.seek(0)
        self._unfolded = _unfolded(file, self._make) if self._make else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    @property
    def archived(self) -> bool:
        return self._make is not None

    @property
    def finished(self) -> bool:
        """Will nobody write to this file any more, so that a last line without an end is a line?"""
        return self._make is not None or self.eager or _ROTATED.search(Path(self.name).name) is not None

    @property
    def consumed(self) -> int:
        """Bytes on disk that were read."""
        return self._file.tell() if not self.eager else 0

    def read(self) -> bytes:
        """The next piece of text, empty at the end. Raises InvalidInput where an archive is damaged."""
        if self._ahead:
            piece, self._ahead = self._ahead, b""
            return piece
        if self._unfolded is None:
            return _available(self._file) if self.eager else self._file.read(PIECE)
        try:
            return next(self._unfolded, b"")
        except _DAMAGE as error:
            raise InvalidInput(f"{self.name}: the archive is damaged or cut short ({error})") from error

    @property
    def ahead(self) -> bytes:
        """What was looked at and not taken yet."""
        return self._ahead

    def first_line(self) -> bytes | None:
        """The first line, without its end; None if there is no complete one. Nothing is consumed."""
        ahead = b""
        while b"\n" not in ahead and len(ahead) < _LONGEST_FIRST_LINE:
            piece = self.read()
            if not piece:
                break
            ahead += piece
        self._ahead = ahead
        line, end, _ = ahead.partition(b"\n")
        if end or len(ahead) >= _LONGEST_FIRST_LINE or (ahead and self.finished):
            return line[:_LONGEST_FIRST_LINE].rstrip(b"\r")
        return None

    def skip(self, offset: int) -> bytes | None:
        """Go forward to an offset. The bytes just before it, or None if the text ends earlier."""
        if self._make is None and not self.eager:
            return self._seek(offset)
        tail, passed = b"", 0
        while passed < offset:
            piece = self.read()
            if not piece:
                return None
            wanted = min(len(piece), offset - passed)
            tail = (tail + piece[:wanted])[-TAIL:]
            passed += wanted
            self._ahead = piece[wanted:]
        return tail

    def rewind(self) -> None:
        """Back to the start. Raises InvalidInput on standard input."""
        if self.eager:
            raise InvalidInput("standard input begins like a log that was read before, but goes on otherwise")
        self._ahead = b""
        self._file.seek(0)
        self._unfolded = _unfolded(self._file, self._make) if self._make else None

    def _seek(self, offset: int) -> bytes | None:
        self._ahead = b""
        start = max(0, offset - TAIL)
        self._file.seek(start)
        tail = self._file.read(offset - start)
        return tail if len(tail) == offset - start else None


def open_log(name: str) -> LogStream:
    """Raises InvalidInput, naming the file, if it cannot be opened."""
    if name == STDIN:
        return LogStream(STDIN, sys.stdin.buffer, 0)
    path = Path(name)
    try:
        if not path.is_file():
            raise InvalidInput(f"{name}: {'not a file' if path.exists() else 'no such file'}")
        return LogStream(name, path.open("rb"), path.stat().st_size)
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror}") from error


def fingerprint(first_line: bytes, attempt: int = 0) -> str:
    """What a file is known by, whatever it is called and however it is compressed.

    Attempts after the first name files that begin alike but go on otherwise.
    """
    salt = b"\x00%d" % attempt if attempt else b""
    return blake2b(first_line + salt, digest_size=16).hexdigest()


def tail_digest(tail: bytes) -> bytes:
    return blake2b(tail[-TAIL:], digest_size=16).digest()


def _available(file: IO[bytes]) -> bytes:
    """What a pipe holds, and what comes without a pause; waits only if it holds nothing."""
    try:
        number = file.fileno()
    except (OSError, AttributeError):
        return file.read(BLOCK)
    pieces, size = [], 0
    while piece := os.read(number, BLOCK):
        pieces.append(piece)
        size += len(piece)
        if size >= BLOCK or not select.select([number], [], [], _PAUSE_IN_PIPE)[0]:
            break
    return b"".join(pieces)


def _unfolded(file: IO[bytes], make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    decompressor = make()
    whole = False
    while chunk := file.read(_ARCHIVE_BLOCK):
        while chunk:
            whole = False
            text = decompressor.decompress(chunk)
            if text:
                yield text
            chunk = b""
            if decompressor.eof:
                # Archives may be concatenated, and padded with zeros.
                whole = True
                chunk = decompressor.unused_data.lstrip(b"\x00")
                decompressor = make()
    if not whole:
        raise EOFError("unexpected end")
