"""Reads DMARC aggregate reports, of RFC 7489 and of RFC 9990, as they come: in any namespace and order.

A record is handed on and forgotten as soon as it is complete, so a report of any length passes through little memory.
Document type declarations, and with them all entities, are refused. Knows no file and no container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Protocol, cast
from xml.etree.ElementTree import XML, Element, ParseError, XMLPullParser
from xml.parsers import expat

from mailvane.core.errors import InvalidInput
from mailvane.dmarc.readers.records import MOST_TEXT, Row, extensions, local, named, row_of, row_of_text, text_of
from mailvane.dmarc.readers.tally import Tally

MOST_PART = 4 * 1024 * 1024  # bytes of one child
_MOST_ELEMENTS = 50_000  # of one child
MOST_IN_ALL = 5_000_000  # elements of one document: a quarter of a million records, or some seconds of hostile ones
_MOST_NAMES = 10_000  # different ones; a parser keeps them all
_NAMES_MATTER = 1024 * 1024  # bytes; what is shorter cannot hold enough names to hurt


def children(chunks: Iterable[bytes]) -> Iterator[tuple[Element, Element | None]]:
    """The root, empty, with None; then with it each child, complete. Raises ParseError and InvalidInput."""
    parser: XMLPullParser[Element] = XMLPullParser(("start",))
    root: Element | None = None
    names: set[str] = set()
    fed = size = elements = total = 0
    for chunk in chunks:
        parser.feed(chunk)
        started = [element for _, element in cast("Iterator[tuple[str, Element]]", parser.read_events())]
        if root is None and started:
            root = started[0]
            yield Element(root.tag), None
        fed += len(chunk)
        size += len(chunk)
        elements += len(started)
        total += len(started)
        if total > MOST_IN_ALL:
            raise InvalidInput(f"more than {MOST_IN_ALL:,} elements")
        if fed > _NAMES_MATTER:
            _watch_names(started, names)
        if root is not None and len(root) > 1:
            # Whatever stands before the last child is complete.
            for child in root[:-1]:
                yield root, child
            del root[:-1]
            size = elements = 0
        if size > MOST_PART or elements > _MOST_ELEMENTS:
            raise InvalidInput(f"one part of it has more than {MOST_PART:,} bytes or {_MOST_ELEMENTS:,} elements")
    parser.close()
    list(parser.read_events())  # raises what is wrong with the end
    if root is not None:
        for child in root:
            yield root, child


def _watch_names(started: Iterable[Element], names: set[str]) -> None:
    for element in started:
        names.add(element.tag)
        if element.attrib:
            names.update(element.attrib)
    if len(names) > _MOST_NAMES:
        raise InvalidInput(f"it has more than {_MOST_NAMES:,} different names of elements and attributes")


_CHUNK = 65_536
_BEGINNING = 1024  # bytes that tell what it is
_SPACE = b" \t\r\n"
MOST_IDENTITY = 1000  # bytes: an index of PostgreSQL takes 2,704 of all that it is made of
_MOST_ERRORS = 100
_MOST_REST = 256 * 1024  # bytes besides records, while they are sought by their text
_MOST_OTHERS = 1000  # children of the root besides records; there are five
_LATEST = 2**40  # seconds
_METADATA = frozenset({"org_name", "email", "extra_contact_info", "report_id", "generator"})
_POLICY = frozenset(
    {"domain", "version_published", "adkim", "aspf", "p", "sp", "np", "pct", "fo", "testing", "discovery_method"}
)
_WORDS = frozenset({"adkim", "aspf", "p", "sp", "np", "testing", "discovery_method"})
_DECLARATION = re.compile(rb"<\?xml\s[^<>]*?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([^"'<>]*)["']""")
_UTF_8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_HTML = re.compile(rb"<(!doctype\s+)?html", re.IGNORECASE)
_MISPLACED = "a record stands inside another element"
_IRREGULAR = (b"<!", b"<?")
_OPENING, _CLOSING, _PLACE = b"<record>", b"</record>", b"<record/>"


class NotWellFormed(InvalidInput):
    """It is not XML."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Head:
    """What an aggregate report says besides its records."""

    def __init__(self) -> None:
        self.version = ""
        self.namespace = ""
        self.metadata: dict[str, Any] = {}
        self.policy: dict[str, str] = {}
        self.extensions: list[Mapping[str, str]] = []
        self.begins = 0  # ms
        self.ends = 0
        self.tally = Tally()

    @property
    def organisation(self) -> str:
        return str(self.metadata.get("org_name") or self.metadata.get("email") or "")

    @property
    def report_id(self) -> str:
        return str(self.metadata.get("report_id", ""))

    @property
    def domain(self) -> str:
        return self.policy.get("domain", "")

    def as_mapping(self) -> Mapping[str, Any]:
        document: dict[str, Any] = {"version": self.version, "metadata": self.metadata, "policy": self.policy}
        if self.namespace:
            document["namespace"] = self.namespace
        if self.extensions:
            document["extensions"] = self.extensions
        return document


def read_aggregate(stream: Stream, keep: Callable[[Row], None]) -> Head:
    """Hand each record to `keep`, as a row. Raises NotWellFormed or InvalidInput, also after rows were kept."""
    head = Head()
    try:
        _Reading(head, keep).read(_chunks(stream))
    except (ParseError, expat.ExpatError) as error:
        # Where it is wrong is not said: what was read already is not counted.
        raise NotWellFormed(f"not XML that can be read: {str(error).partition(': line')[0]}") from None
    _check(head)
    return head


def _chunks(stream: Stream) -> Iterator[bytes]:
    first = bytearray()
    # An empty line before the declaration is forbidden, and common.
    while len(first) < _BEGINNING and (chunk := stream.read(_CHUNK)):
        first += chunk
        if not first.lstrip(_SPACE):
            first.clear()
    beginning = bytes(first.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE))
    if not beginning:
        raise InvalidInput("it is empty")
    if _HTML.match(beginning):
        raise InvalidInput("an HTML page, not a report")
    yield beginning if beginning.startswith(b"<") else bytes(first)
    while chunk := stream.read(_CHUNK):
        yield chunk


def _judged(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same, each piece only when it is well-formed so far and declares no document type."""
    judge = expat.ParserCreate()
    judge.StartDoctypeDeclHandler = _refuse_declaration
    for chunk in chunks:
        try:
            judge.Parse(chunk, False)
        except (ValueError, LookupError) as error:
            # An encoding that is unknown, or that the parser cannot take.
            raise InvalidInput(f"not in an encoding that can be read: {error}") from None
        yield chunk
    judge.Parse(b"", True)


def _refuse_declaration(*_: object) -> None:
    raise InvalidInput("it declares a document type; reports have none, and entities are not expanded")


class _Reading:
    """Of one report. Records are found by their text as long as that is sure to be right, else as elements.

    In XML without declarations, comments, instructions and CDATA, `<record>` is a tag wherever it stands. What is taken
    out is well-formed by itself, as is what remains, with a mark in each place: so the whole is. Texts that were met
    before need not be parsed again, which is many times as fast as making elements of everything.
    """

    def __init__(self, head: Head, keep: Callable[[Row], None]) -> None:
        self._head = head
        self._keep = keep
        self._rest = bytearray()  # what is no record, with a mark where records were
        self._waiting = b""

    def read(self, chunks: Iterator[bytes]) -> None:
        first = next(chunks)
        declared = _DECLARATION.match(first)
        if not _is_utf_8(declared[0] if declared else first):
            self._by_element(first, chunks)
            return
        if declared:
            self._rest += declared[0]
            first = first[declared.end() :]
        for chunk in chain((first,), chunks):
            if not self._by_text(chunk):
                self._by_element(b"", chunks)
                return
        self._rest += self._waiting
        self._see_root(XML(bytes(self._rest)))

    def _by_text(self, chunk: bytes) -> bool:
        """Take the records that are complete; False when the rest is to be read as elements."""
        text = self._waiting + chunk
        tally, keep = self._head.tally, self._keep
        # How much of it has no comment, CDATA or instruction.
        # The second characters are rare: seeking one is many times as fast as seeking both.
        found = [text.find(mark) for mark in _IRREGULAR if mark[1:] in text]
        sure, place = min((place for place in found if place >= 0), default=len(text)), 0
        space: bytes | None = None
        while (begins := text.find(_OPENING, place)) >= 0:
            ends = text.find(_CLOSING, begins, sure)
            if ends < 0:
                break
            gap = text[place:begins]
            if gap != space:
                # What is kept of a record and what stands before it: of many with nothing in between, one.
                self._rest += gap + _PLACE if gap.strip(_SPACE) or not self._rest.endswith(_PLACE) else b""
                space = None if gap.strip(_SPACE) else gap
            place = ends + len(_CLOSING)
            try:
                row = row_of_text(text, begins, place, tally)
            except ParseError:
                # It has a prefix, perhaps, that was declared further up.
                self._waiting = text[begins:]
                return False
            if row is not None:
                keep(row)
        self._waiting = text[place:]
        if sure < len(text) or len(self._rest) > _MOST_REST:
            return False
        if len(self._waiting) > _MOST_REST and _OPENING not in self._waiting:
            return False
        if len(self._waiting) > MOST_PART:
            raise InvalidInput(f"one record of it has more than {MOST_PART:,} bytes")
        return True

    def _by_element(self, first: bytes, chunks: Iterator[bytes]) -> None:
        remaining = chain((bytes(self._rest) + self._waiting + first,), chunks)
        others = 0
        for root, part in children(_judged(remaining)):
            if part is None:
                self._see_root(root)
                continue
            others += local(part.tag) != "record"
            if others > _MOST_OTHERS:
                raise InvalidInput(f"more than {_MOST_OTHERS:,} elements beside the records")
            if local(part.tag) != "record" and any(local(inner.tag) == "record" for inner in part.iter()):
                raise InvalidInput(_MISPLACED)
            self._see(part)

    def _see_root(self, root: Element) -> None:
        if local(root.tag) != "feedback":
            raise InvalidInput(f"its root element is {local(root.tag)[:60]!r}, not 'feedback'")
        self._head.namespace = root.tag.rpartition("}")[0].removeprefix("{")[:MOST_TEXT]
        places = 0
        for part in root:
            places += _is_place(part)
            self._see(part)
        if self._rest.count(_PLACE) > places and len(root):
            raise InvalidInput(_MISPLACED)

    def _see(self, part: Element) -> None:
        if local(part.tag) != "record":
            _read_head(self._head, part)
        elif not _is_place(part):
            row = row_of(part, self._head.tally)
            if row is not None:
                self._keep(row)


def _is_place(part: Element) -> bool:
    return local(part.tag) == "record" and not len(part)


def _is_utf_8(beginning: bytes) -> bool:
    if not beginning.startswith(b"<") or b"\0" in beginning[:4]:
        return False
    if not beginning.startswith(b"<?xml"):
        return True
    declared = _ENCODING.search(beginning[:200])
    return declared is None or declared[1].lower() in _UTF_8


def _read_head(head: Head, part: Element) -> None:
    name = local(part.tag)
    if name == "version":
        head.version = text_of(part)
    elif name == "report_metadata":
        _read_metadata(head, part)
    elif name == "policy_published":
        for said, text in named(part, _POLICY).items():
            head.policy[said] = text.lower() if said in _WORDS else text
    elif name in ("extensions", "extension"):
        head.extensions += extensions(part if name == "extensions" else (part,))


def _read_metadata(head: Head, part: Element) -> None:
    for child in part:
        name = local(child.tag)
        if name in _METADATA:
            # One more than is allowed: what identifies a report is refused rather than cut.
            head.metadata[name] = (child.text or "").strip()[: MOST_IDENTITY + 1]
        elif name == "error":
            errors = head.metadata.setdefault("errors", [])
            if len(errors) < _MOST_ERRORS:
                errors.append(text_of(child))
        elif name == "date_range":
            date_range = named(child, ("begin", "end"))
            head.begins, head.ends = _moment(date_range.get("begin", "")), _moment(date_range.get("end", ""))


def _moment(text: str) -> int:
    """In ms. Some write fractions of a second."""
    whole = text.partition(".")[0]
    if not (whole.isascii() and whole.isdecimal() and len(whole) < 15 and int(whole) < _LATEST):
        raise InvalidInput(f"its date_range says {text[:40]!r}, not seconds since 1970")
    return int(whole) * 1000


def _check(head: Head) -> None:
    """Without these it is not known what the report is, so whether it came before."""
    for name, value in (
        ("report_metadata/org_name", head.organisation),
        ("report_metadata/report_id", head.report_id),
        ("policy_published/domain", head.domain),
    ):
        if not value:
            raise InvalidInput(f"{name} is missing")
        if len(value.encode("utf-8", "replace")) > MOST_IDENTITY:
            raise InvalidInput(f"{name} has more than {MOST_IDENTITY:,} bytes")
    if not head.ends:
        raise InvalidInput("report_metadata/date_range is missing")
    if head.begins > head.ends:
        head.tally.remark("its time range ends before it begins: taken the other way round")
        head.begins, head.ends = head.ends, head.begins
    if head.tally.is_empty:
        head.tally.remark("there is no record in it")
