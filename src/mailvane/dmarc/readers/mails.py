"""A mail taken apart into its parts, with bounds on everything that its sender may choose. Knows no report.

Header sections, fields, nesting and the number of parts are bounded; nothing recurses, and each level of nesting is
gone through once, so the work grows with the length of the mail and no faster. What single fields mean, the standard
library knows; it sees none that is longer than MOST_FIELD.

Standards: RFC 5322 for fields and folding, RFC 2045 and RFC 2046 for types, encodings and boundaries.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from email.message import Message

from mailvane.core.errors import InvalidInput

MOST_HEADER = 256 * 1024  # bytes of one header section
MOST_FIELDS = 2000  # of one header section
MOST_FIELD = 8 * 1024  # bytes; what is longer is cut
MOST_DEPTH = 20  # of parts in parts; a forwarded report in a forwarded mail has six
MOST_PARTS = 100  # that hold something
_MOST_BOUNDARY = 1000  # bytes; RFC 2046 allows 70
_MOST_UUENCODED = 1024 * 1024  # bytes; nobody sends reports so, and reading it takes much memory
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:[ \t]*")
_MAILBOX_LINE = re.compile(rb">?From ")  # that mailbox files put before a mail
_MAILS = ("message/rfc822", "message/global")
_FILES = ("application/octet-stream", "application/eml", "application/x-eml")
_UUENCODED = ("x-uuencode", "uuencode", "uue", "x-uue")


class Part:
    """A mail or a part of one: its header, and where its content lies in the bytes that it is a piece of."""

    def __init__(self, data: bytes, begin: int = 0, end: int | None = None) -> None:
        """Raises InvalidInput where the header has more than is read."""
        self._data = data
        self._end = len(data) if end is None else end
        self.headers, self._begin = read_header(data, begin, self._end)
        self.kind = _kind(self.headers)

    @property
    def is_mail(self) -> bool:
        """Whether it encloses a mail: RFC 2046 section 5.2.1, RFC 6532 section 3.7; or is the file of one."""
        return self.kind in _MAILS or (self.kind in _FILES and self.filename.lower().endswith(".eml"))

    @property
    def holds_parts(self) -> bool:
        """Whether it is a multipart container that has its boundary."""
        return self.is_mail or next(self._pieces(), None) is not None

    @property
    def filename(self) -> str:
        """As its sender calls it; empty when it has no name, or none that can be read."""
        try:
            return self.headers.get_filename() or ""
        except (ValueError, LookupError, TypeError):
            return ""

    def content(self) -> bytes:
        """Without its transfer encoding, as far as it can be undone."""
        content = self._data[self._begin : self._end]
        encoding = _encoding(self.headers)
        if encoding == "base64":
            # What is no letter of it is passed over; padding may be missing.
            for tried in (content, content + b"==", content.rstrip()[:-1] + b"=="):
                try:
                    return binascii.a2b_base64(tried)
                except binascii.Error:
                    continue
            return content
        if encoding == "quoted-printable":
            return binascii.a2b_qp(content)
        if encoding in _UUENCODED and len(content) <= _MOST_UUENCODED:
            part = Message()
            part["Content-Transfer-Encoding"] = encoding
            part.set_payload(content.decode("ascii", "surrogateescape"))
            found = part.get_payload(decode=True)
            return found if isinstance(found, bytes) else content
        return content

    def parts(self) -> Iterator[Part]:
        """What is directly in it; nothing, where it holds something itself."""
        if self.is_mail:
            yield self._enclosed()
        for begin, end in self._pieces():
            yield Part(self._data, begin, end)

    def _enclosed(self) -> Part:
        if _encoding(self.headers) in ("", "7bit", "8bit", "binary"):
            return Part(self._data, self._begin, self._end)
        # RFC 2046 forbids it, and it is common.
        return Part(self.content())

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Between the boundaries; the last one lasts to the end where the closing boundary is missing."""
        boundary = _boundary(self.headers) if self.kind.startswith("multipart/") else b""
        if not boundary:
            return
        mark = re.escape(b"--" + boundary)
        # The literal comes first, so that it is sought in one go; what stands before it is looked at behind it.
        pattern = re.compile(mark + rb"(?<=[\r\n]" + mark + rb")(--)?[ \t]*(?:\r\n|\r|\n|\Z)")
        begin = -1
        for found in pattern.finditer(self._data, max(0, self._begin - 1), self._end):
            if begin >= 0:
                yield begin, _without_break(self._data, begin, found.start())
            begin = -1 if found[1] else found.end()
            if begin < 0:
                return
        if begin >= 0:
            yield begin, self._end


def walk(mail: Part, *, into_mails: bool) -> Iterator[Part]:
    """The mail and all that is in it, in the order in which it is written. Raises InvalidInput, also after some.

    With `into_mails`, also what mails that it encloses consist of.
    """
    waiting: list[Iterator[Part]] = [iter((mail,))]
    count = 0
    while waiting:
        part = next(waiting[-1], None)
        if part is None:
            waiting.pop()
            continue
        count += 1
        if count > MOST_PARTS * 2:
            raise InvalidInput(f"the mail has more than {MOST_PARTS} parts")
        yield part
        if into_mails or not part.is_mail:
            waiting.append(part.parts())
        if len(waiting) > MOST_DEPTH + 2:  # the list that the mail is in, and what is in this part
            raise InvalidInput(f"the mail nests parts more than {MOST_DEPTH} deep")


def read_header(data: bytes, begin: int = 0, end: int | None = None) -> tuple[Message, int]:
    """The fields of a header section, and where what follows it begins. Raises InvalidInput where it has too many."""
    limit = len(data) if end is None else end
    within = min(limit, begin + MOST_HEADER)
    fields: list[tuple[str, bytearray]] = []
    place = begin
    while place < limit:
        line = _LINE.match(data, place, within)
        if line is None or (line.end() == within < limit):
            raise InvalidInput(f"a header of the mail has more than {MOST_HEADER:,} bytes")
        text = line[0].rstrip(b"\r\n")
        if not text:
            place = line.end()
            break
        if not _take_line(text, fields, first=place == begin):
            break  # the content begins without an empty line
        place = line.end()
        if len(fields) > MOST_FIELDS:
            raise InvalidInput(f"a header of the mail has more than {MOST_FIELDS:,} fields")
    message = Message()
    for name, value in fields:
        message[name] = value.decode("utf-8", "replace")
    return message, place


def _take_line(text: bytes, fields: list[tuple[str, bytearray]], *, first: bool) -> bool:
    """False for what is no line of a header."""
    if text[:1] in (b" ", b"\t"):
        if fields:
            value = fields[-1][1]
            value += text[: MOST_FIELD - len(value)] if len(value) < MOST_FIELD else b""
        return True
    found = _FIELD.match(text)
    if found is not None:
        fields.append((found[1].decode("ascii"), bytearray(text[found.end() : found.end() + MOST_FIELD])))
        return True
    return first and _MAILBOX_LINE.match(text) is not None


def _kind(headers: Message) -> str:
    try:
        return headers.get_content_type()
    except (ValueError, LookupError, TypeError):
        return "application/octet-stream"


def _boundary(headers: Message) -> bytes:
    try:
        found = headers.get_boundary("")
    except (ValueError, LookupError, TypeError):
        return b""
    boundary = (found or "").rstrip().encode("utf-8", "replace")
    return boundary if len(boundary) <= _MOST_BOUNDARY else b""


def _without_break(data: bytes, begin: int, end: int) -> int:
    """The line break before a boundary belongs to the boundary."""
    if end > begin and data[end - 1 : end] == b"\n":
        end -= 1
    if end > begin and data[end - 1 : end] == b"\r":
        end -= 1
    return end


def _encoding(headers: Message) -> str:
    return str(headers.get("Content-Transfer-Encoding", "")).strip().lower()
