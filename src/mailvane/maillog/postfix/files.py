"""Log files as streams of UTF-8: plain, gzip, bzip2, xz, zstd, UTF-16 or standard input, recognised by content.

Nothing here knows what a line means, but whether the last one is whole. A damaged archive gives all that could be read,
then one clear error.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import os
import re
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from mailvane.core.errors import InvalidInput
from mailvane.core.forms import CODECS, NEEDED, Form, form_of
from mailvane.maillog.postfix.last_lines import is_whole

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STDIN = "-"
# Bytes of text whose events make one batch: larger blocks make fewer, larger parts, which cost the mail log less.
BLOCK = 24 << 20
PIECE = 256 << 10  # bytes in memory at a time
TAIL = 4096  # bytes before a position that prove that a file is the one that was read
MOST_RATIO = 200  # unpacked to packed; ours: logs reach some 20 with gzip, and some 100 where one line comes all day
_RATIO_MATTERS = 64 << 20  # bytes unpacked
_MOST_UNPACKED = 1 << 40  # bytes of one archive
_ARCHIVE_BLOCK = 16 << 10  # small, as what is left of it is copied for each archive of several in one file
_LONGEST_FIRST_LINE = 64 << 10
_PAUSE_IN_PIPE = 0.02  # seconds
_PATIENCE = 0.5  # seconds of a wait for what comes through a pipe
_DAMAGE = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError)
_ROTATED = re.compile(r"[.-]\d+(?:[.-].*)?$|\.old$")


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """Gzip with the interface that the other decompressors have."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._engine.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._engine.decompress(self._engine.unconsumed_tail + data, max_length)


_DECOMPRESSORS: dict[Form, Callable[[], _Decompressor]] = {
    Form.GZIP: _Gunzip,
    Form.BZIP2: bz2.BZ2Decompressor,
    Form.XZ: lzma.LZMADecompressor,
    Form.ZSTD: zstd.ZstdDecompressor,
}
_AS_IT_IS = frozenset({Form.PLAIN, Form.NOTHING})


class LogStream:
    """The text of one log file, front to back."""

    def __init__(self, name: str, file: IO[bytes], size: int) -> None:
        self.name = name
        self.size = size  # bytes on disk; 0 for standard input
        self.eager = size == 0 and name == STDIN
        self.followed = True  # whether a last line without an end is waited for
        self._file = file
        self._ahead = b""
        start = b"" if self.eager else file.read(NEEDED)
        if not self.eager:
            file.seek(0)
        self.form = form_of(start)  # of what is read from the disk
        self._text = self._begun()

    @property
    def shown(self) -> str:
        """The name to show."""
        return "standard input" if self.eager else self.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    @property
    def archived(self) -> bool:
        return self.form not in _AS_IT_IS

    @property
    def finished(self) -> bool:
        """Will nobody write to this file any more, so that a last line without an end is a line?"""
        return self.archived or self.eager or _ROTATED.search(Path(self.name).name) is not None

    def ends_with(self, rest: bytes) -> bool:
        """Is this, what is left and has no end, a line?"""
        return self.finished or (not self.followed and is_whole(rest))

    @property
    def consumed(self) -> int:
        """Bytes on disk that were read."""
        return self._file.tell() if not self.eager else 0

    def read(self) -> bytes:
        """The next piece of text, empty at the end. Raises InvalidInput where an archive is damaged."""
        if self._ahead:
            piece, self._ahead = self._ahead, b""
            return piece
        if self._text is None:
            return self._file.read(PIECE)
        try:
            return next(self._text, b"")
        except _DAMAGE as error:
            raise InvalidInput(f"{self.shown}: the archive is damaged or cut short ({error})") from error

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
        if end or len(ahead) >= _LONGEST_FIRST_LINE or (ahead and self.ends_with(ahead)):
            return line[:_LONGEST_FIRST_LINE].rstrip(b"\r")
        return None

    def skip(self, offset: int) -> bytes | None:
        """Go forward to an offset. The bytes just before it, or None if the text ends earlier."""
        if self._text is None:
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
        self._text = self._begun()

    def _begun(self) -> Iterator[bytes] | None:
        """The text from its beginning; None where the file can be read as it is."""
        if self.eager:
            return _text(self.shown, iter(lambda: _available(self._file), b""))
        if self.form in _AS_IT_IS:
            return None
        return _text(self.name, iter(lambda: self._file.read(_ARCHIVE_BLOCK), b""))

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


def is_readable(number: int, seconds: float = 0) -> bool:
    """Whether a descriptor has something, or its end, within that time. select(2) would take none beyond 1,023."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _available(file: IO[bytes]) -> bytes:
    """What a pipe holds, and what comes without a pause; waits only if it holds nothing."""
    try:
        number = file.fileno()
    except (OSError, AttributeError):
        return file.read(BLOCK)
    pieces: list[bytes] = []
    size = 0
    while size < BLOCK:
        # A wait has an end, as Ctrl-C that came just before it is heard behind it only.
        if is_readable(number, _PAUSE_IN_PIPE if pieces else _PATIENCE):
            piece = os.read(number, BLOCK)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        elif pieces:
            break
    return b"".join(pieces)


def _text(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What a stream says as UTF-8, whatever it is packed in. Raises InvalidInput where that is no text, or _DAMAGE."""
    form, pieces = _judged(pieces)
    make = _DECOMPRESSORS.get(form)
    if make is not None:
        outer = form
        packed = _Counted(_cut(pieces))
        form, pieces = _judged(_in_proportion(f"{name}: {outer}", _unfolded(packed, make), packed))
        if form not in _AS_IT_IS | CODECS.keys():
            raise InvalidInput(f"{name}: {outer} that holds {form}, and no log: unpack it first")
    elif form not in _AS_IT_IS | CODECS.keys():
        raise InvalidInput(f"{name}: {form}, and no log")
    yield from _decoded(pieces, CODECS[form]) if form in CODECS else pieces


def _judged(pieces: Iterator[bytes]) -> tuple[Form, Iterator[bytes]]:
    """What pieces begin with, and all of them. Waits for no more than the first, unless that is no text."""
    beginning = next(pieces, b"")
    while b"\0" in beginning and len(beginning) < NEEDED and (piece := next(pieces, b"")):
        beginning += piece
    return form_of(beginning), chain((beginning,) if beginning else (), pieces)


def _decoded(pieces: Iterator[bytes], codec: str) -> Iterator[bytes]:
    """Without the mark of the order of bytes; what cannot be read is replaced."""
    decoder = codecs.getincrementaldecoder(codec)("replace")
    mark = "\ufeff"
    for piece in chain(pieces, (b"",)):
        text = decoder.decode(piece, final=not piece).removeprefix(mark)
        mark = "" if text else mark
        if text:
            yield text.encode("utf-8", "replace")


class _Counted:
    """Pieces, and how many bytes there were so far."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.size = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.size += len(piece)
        return piece


def _in_proportion(whose: str, pieces: Iterator[bytes], packed: _Counted) -> Iterator[bytes]:
    """What is unpacked, until that is more than any log can be. Raises InvalidInput."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > _RATIO_MATTERS and size > MOST_RATIO * packed.size:
            raise InvalidInput(f"{whose} that unpacks to more than {MOST_RATIO} times its size: no log does")
        if size > _MOST_UNPACKED:
            raise InvalidInput(f"{whose} that unpacks to more than {_MOST_UNPACKED >> 40} TiB: import it in parts")
        yield piece


def _cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _ARCHIVE_BLOCK):
            yield piece[start : start + _ARCHIVE_BLOCK]


def _unpacked(decompressor: _Decompressor, packed: bytes) -> Iterator[bytes]:
    """In pieces of bounded size: a few bytes may stand for many megabytes."""
    chunk = packed
    while chunk or not (decompressor.eof or decompressor.needs_input):
        text = decompressor.decompress(chunk, PIECE)
        chunk = b""
        if text:
            yield text


def _unfolded(pieces: Iterator[bytes], make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    decompressor = make()
    whole = False
    for piece in pieces:
        chunk = piece
        while chunk:
            whole = False
            yield from _unpacked(decompressor, chunk)
            chunk = b""
            if decompressor.eof:
                # Archives may be concatenated, and padded with zeros.
                whole = True
                chunk = decompressor.unused_data.lstrip(b"\x00")
                decompressor = make()
    if not whole:
        raise EOFError("unexpected end")
