"""What a file holds, whatever it is called: a report as it is, in gzip, or several in a zip archive. Bounded.

What is inside is told by its first bytes; names and content types lie. Nothing is written anywhere, so a name in an
archive is a label and no path. Mails are `mails`' affair.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from mailvane.core import forms
from mailvane.core.errors import InvalidInput
from mailvane.core.unpacking import Gunzip, Stream

MOST_BYTES = 1024**3  # of one file, unpacked
MOST_RATIO = 200  # unpacked to packed; reports of thousands of alike rows reach some 50
RATIO_MATTERS = 16 * 1024**2  # bytes
MOST_MEMBERS = 100  # of an archive
_MOST_DIRECTORY = 256 * 1024  # bytes of an archive's list of members, which is read into memory
_PIECE = 65_536
_PEEKED = 1024
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_LONGEST_END = 65_536 + 22 + 20
# What the library raises for archives that are not as they should be; some of it says nothing of archives.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError),
    *(IndexError, KeyError, OverflowError),
)
_HEADER = re.compile(rb"(?:>?From [^\r\n]*\r?\n)?[!-9;-~]{1,100}[ \t]*:")
_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Form(StrEnum):
    """What the first bytes look like."""

    XML = "xml"
    JSON = "json"
    GZIP = "gzip"
    ZIP = "zip"
    MAIL = "mail"
    NOTHING = "nothing"  # it is empty
    OTHER = "other"


_PACKED = {forms.Form.GZIP: Form.GZIP, forms.Form.ZIP: Form.ZIP}


class Document(NamedTuple):
    """One thing that is no container. Reading it may raise InvalidInput."""

    name: str
    form: Form
    stream: Stream


def form_of(beginning: bytes) -> Form:
    whole = forms.form_of(beginning)
    if whole in _PACKED:
        return _PACKED[whole]
    bare = beginning.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not bare:
        return Form.OTHER if beginning.strip() else Form.NOTHING
    if bare.startswith(b"<") or beginning.startswith(_BOMS) or beginning[:2] in (b"<\0", b"\0<"):
        return Form.XML
    if bare.startswith((b"{", b"[")):
        return Form.JSON
    return Form.MAIL if _HEADER.match(bare) else Form.OTHER


def visible(name: str, longest: int = 200) -> str:
    """A name from outside, fit for one line of text of so many characters."""
    return "".join(each if each.isprintable() else "?" for each in name[:longest])


class Budget:
    """How many bytes may still be unpacked of one file, whatever it consists of."""

    def __init__(self, most: int | None = None) -> None:
        self._most = MOST_BYTES if most is None else most
        self._spent = 0

    def spend(self, size: int) -> None:
        """Raises InvalidInput when there is more."""
        self._spent += size
        if self._spent > self._most:
            raise InvalidInput(f"more than {self._most:,} bytes")


def documents(file: BinaryIO, name: str, budget: Budget | None = None) -> Iterator[Document]:
    """What is in a file, one at a time: read each before the next. Raises InvalidInput for a broken container."""
    budget = budget or Budget()
    beginning = file.read(_PEEKED)
    file.seek(0)
    form = form_of(beginning)
    if form is Form.GZIP:
        yield _sniffed(name, Gunzip(file, _check_ratio), budget)
    elif form is Form.ZIP:
        yield from _members(file, name, budget)
    else:
        yield Document(name, form, Bounded(file, budget))


class Bounded:
    """Ends with InvalidInput where a file would be too long."""

    def __init__(self, stream: Stream, budget: Budget, beginning: bytes = b"") -> None:
        self._stream = stream
        self._beginning = beginning
        self._budget = budget

    def read(self, size: int, /) -> bytes:
        piece = self._beginning or self._stream.read(size)
        self._beginning = b""
        self._budget.spend(len(piece))
        return piece


class Remembered:
    """The same, and once more what was read of it, unless it is long."""

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._most = most
        self._read = bytearray()
        self._is_long = False

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        if len(self._read) + len(piece) > self._most:
            self._is_long = True
            self._read.clear()
        if not self._is_long:
            self._read += piece
        return piece

    def whole(self) -> bytes | None:
        """All of it, also what was not read yet; None where it is long."""
        while not self._is_long and self.read(_PIECE):
            pass
        return None if self._is_long else bytes(self._read)


def _check_ratio(unpacked: int, packed: int) -> None:
    if unpacked > RATIO_MATTERS and unpacked > MOST_RATIO * packed:
        raise InvalidInput(f"it unpacks to more than {MOST_RATIO} times its size: no report does")


def _sniffed(name: str, stream: Stream, budget: Budget) -> Document:
    beginning = stream.read(_PIECE)
    form = form_of(beginning[:_PEEKED])
    if form is Form.GZIP:
        # Some senders pack what was packed already: once more is read, and no more.
        stream = Gunzip(Bounded(stream, budget, beginning), _check_ratio)
        beginning = stream.read(_PIECE)
        form = form_of(beginning[:_PEEKED])
    if form in (Form.GZIP, Form.ZIP):
        raise InvalidInput("an archive in an archive")
    return Document(name, form, Bounded(stream, budget, beginning))


def _members(file: BinaryIO, name: str, budget: Budget) -> Iterator[Document]:
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            # A member may have no name at all, which the library takes for impossible.
            members = [
                member
                for member in archive.infolist()
                if not member.filename.endswith("/") and not member.filename.startswith("__MACOSX/")
            ]
            if not members:
                raise InvalidInput("the archive is empty")
            if len(members) > MOST_MEMBERS:
                raise InvalidInput(f"the archive has more than {MOST_MEMBERS} members")
            for member in members:
                yield _member(archive, member, name, budget)
    except _BROKEN as error:
        raise InvalidInput(f"the zip archive is broken: {error}") from None


def _check_directory(file: BinaryIO) -> None:
    """Before all of it is read into memory: how long is the list of members?"""
    length = file.seek(0, 2)
    file.seek(max(0, length - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    file.seek(0)
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        raise InvalidInput("the zip archive is cut off: nothing of it was kept")
    if int.from_bytes(tail[place + 12 : place + 16], "little") > _MOST_DIRECTORY or _END_64 in tail[:place]:
        raise InvalidInput(f"the archive has more than {MOST_MEMBERS} members")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, budget: Budget) -> Document:
    label = f"{name}: {visible(member.filename) or 'a member without a name'}"
    if member.flag_bits & 1:
        return Document(label, Form.OTHER, _Refused("it is encrypted"))
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Document(label, Form.OTHER, _Refused("it is packed in a way that is not read"))
    try:
        return _sniffed(label, _Member(archive, member), budget)
    except InvalidInput as error:
        return Document(label, Form.OTHER, _Refused(error.message))


class _Refused:
    """Something that cannot be read, among others that can."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def read(self, _size: int, /) -> bytes:
        raise InvalidInput(self._reason)


class _Member:
    """The content of an archive's member; its length is measured, not taken from the archive's header."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._packed = max(1, member.compress_size)
        self._unpacked = 0
        self._archive = archive
        self._member = member
        self._stream: Stream | None = None

    def read(self, size: int, /) -> bytes:
        try:
            if self._stream is None:
                self._stream = self._archive.open(self._member)
            piece = self._stream.read(size)
        except _BROKEN as error:
            raise InvalidInput(f"the zip archive is broken: {error}") from None
        self._unpacked += len(piece)
        _check_ratio(self._unpacked, self._packed)
        return piece
