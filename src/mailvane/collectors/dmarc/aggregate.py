"""Reads DMARC aggregate reports, of RFC 7489 and of RFC 9990, as they come: in any namespace and order.

A record is handed on and forgotten as soon as it is complete, so a report of any length passes through little memory.
Document type declarations, and with them all entities, are refused. Knows no file and no container.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.parsers import expat

from mailvane.collectors.dmarc.tally import Tally
from mailvane.errors import InvalidInput

Row = dict[str, Any]

MOST_TEXT = 1000  # characters of one value; what is longer is cut
_CHUNK = 65_536
_PROLOGUE_STEP = 512
_MOST_PROLOGUE = 65_536
_MOST_PART = 4 * 1024 * 1024  # bytes of one record, or of another child of the root
_MOST_ELEMENTS = 50_000  # of one record
_MOST_NAMES = 10_000  # different ones; a parser keeps them all
_NAMES_MATTER = 1024 * 1024  # bytes; what is shorter cannot hold enough names to hurt
_MOST_RESULTS = 100  # of one kind in a record; RFC 9990 asks for no more signatures than these
_MOST_COUNT = 10**12
_MOST_IDENTITY = 1000
_LATEST = 2**40  # seconds
_METADATA = frozenset({"org_name", "email", "extra_contact_info", "report_id", "generator"})
_POLICY = frozenset(
    {"domain", "version_published", "adkim", "aspf", "p", "sp", "np", "pct", "fo", "testing", "discovery_method"}
)
_WORDS = frozenset({"adkim", "aspf", "p", "sp", "np", "testing", "discovery_method"})
_IDENTIFIERS = frozenset({"envelope_to", "envelope_from", "header_from"})
_REASON = frozenset({"type", "comment"})
_RESULT = frozenset({"domain", "selector", "scope", "result", "human_result"})
_ALIGNED = {"pass": True, "fail": False}


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Head:
    """What an aggregate report says besides its records."""

    def __init__(self) -> None:
        self.version = ""
        self.namespace = ""
        self.metadata: dict[str, Any] = {}
        self.policy: dict[str, str] = {}
        self.extensions: list[dict[str, str]] = []
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
        told: dict[str, Any] = {"version": self.version, "metadata": self.metadata, "policy": self.policy}
        if self.namespace:
            told["namespace"] = self.namespace
        if self.extensions:
            told["extensions"] = self.extensions
        return told


def read_aggregate(stream: Stream, keep: Callable[[Row], None]) -> Head:
    """Hand each record to `keep`, as a row. Raises InvalidInput, also after rows were kept."""
    head = Head()
    tally = head.tally
    try:
        for part in _parts(stream, head):
            name = _local(part.tag)
            if name == "record":
                row = _row(part, tally)
                if row is not None:
                    tally.count(row)
                    keep(row)
            else:
                _read_head(head, name, part)
    except (ParseError, expat.ExpatError) as error:
        raise InvalidInput(f"not XML that can be read: {error}") from None
    _check(head)
    return head


def _parts(stream: Stream, head: Head) -> Iterator[Element]:
    """The children of the root, each complete, and forgotten once the next is asked for."""
    parser: XMLPullParser[Element] = XMLPullParser(("start",))
    root: Element | None = None
    names: set[str] = set()
    fed = size = elements = 0
    for chunk in _chunks(stream):
        _feed(partial(parser.feed, chunk))
        started = [element for _, element in cast("Iterator[tuple[str, Element]]", parser.read_events())]
        if root is None and started:
            root = started[0]
            _see_root(root, head)
        fed += len(chunk)
        size += len(chunk)
        elements += len(started)
        if fed > _NAMES_MATTER:
            _watch_names(started, names)
        if root is not None and len(root) > 1:
            # Whatever stands before the last child is complete.
            yield from root[:-1]
            del root[:-1]
            size = elements = 0
        if size > _MOST_PART or elements > _MOST_ELEMENTS:
            raise InvalidInput(f"one part of it has more than {_MOST_PART:,} bytes or {_MOST_ELEMENTS:,} elements")
    parser.close()
    list(parser.read_events())  # raises what is wrong with the end
    yield from root if root is not None else ()


def _chunks(stream: Stream) -> Iterator[bytes]:
    yield _prologue(_without_leading_space(stream), stream)
    while chunk := stream.read(_CHUNK):
        yield chunk


def _without_leading_space(stream: Stream) -> bytes:
    """An empty line before the declaration is forbidden, and common."""
    first = stream.read(_CHUNK)
    if not first.strip():
        raise InvalidInput("it is empty")
    bare = first.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if re.match(rb"<(!doctype\s+)?html", bare[:64], re.IGNORECASE):
        raise InvalidInput("an HTML page, not a report")
    return bare if bare[:1] == b"<" else first


def _prologue(first: bytes, stream: Stream) -> bytes:
    """At least everything up to the root element, once it is known that no document type is declared there."""
    guard = expat.ParserCreate()
    seen: list[bool] = []
    guard.StartElementHandler = lambda *_: seen.append(True)
    guard.StartDoctypeDeclHandler = _refuse_declaration
    read = bytearray(first)
    place = 0
    while not seen:
        step = bytes(read[place : place + _PROLOGUE_STEP])
        place += len(step)
        if not step:
            more = stream.read(_CHUNK)
            if not more:
                guard.Parse(b"", True)
                break
            read += more
            continue
        if place > _MOST_PROLOGUE:
            raise InvalidInput(f"no element within the first {_MOST_PROLOGUE:,} bytes")
        _feed(partial(guard.Parse, step, False))
    return bytes(read)


def _feed(feed: Callable[[], object]) -> None:
    try:
        feed()
    except (ValueError, LookupError) as error:
        # An encoding that is unknown, or that the parser cannot take.
        raise InvalidInput(f"not in an encoding that can be read: {error}") from None


def _refuse_declaration(*_: object) -> None:
    raise InvalidInput("it declares a document type; reports have none, and entities are not expanded")


def _see_root(root: Element, head: Head) -> None:
    namespace, _, name = root.tag.rpartition("}")
    if name != "feedback":
        raise InvalidInput(f"its root element is {name[:60]!r}, not 'feedback'")
    head.namespace = namespace.removeprefix("{")[:MOST_TEXT]


def _watch_names(started: Iterable[Element], names: set[str]) -> None:
    for element in started:
        names.add(element.tag)
        if element.attrib:
            names.update(element.attrib)
    if len(names) > _MOST_NAMES:
        raise InvalidInput(f"it has more than {_MOST_NAMES:,} different names of elements")


def _local(tag: str) -> str:
    return tag[tag.rfind("}") + 1 :]


def _text(element: Element) -> str:
    text = element.text
    return text.strip()[:MOST_TEXT] if text else ""


def _named(part: Element, names: Container[str]) -> dict[str, str]:
    return {name: _text(child) for child in part if (name := _local(child.tag)) in names}


def _read_head(head: Head, name: str, part: Element) -> None:
    if name == "version":
        head.version = _text(part)
    elif name == "report_metadata":
        _read_metadata(head, part)
    elif name == "policy_published":
        for child in part:
            name = _local(child.tag)
            if name in _POLICY:
                head.policy[name] = _text(child).lower() if name in _WORDS else _text(child)
    elif name in ("extensions", "extension"):
        head.extensions += _extensions(part if name == "extensions" else (part,))


def _read_metadata(head: Head, part: Element) -> None:
    for child in part:
        name = _local(child.tag)
        if name in _METADATA:
            head.metadata[name] = (child.text or "").strip()[: _MOST_IDENTITY + 1]
        elif name == "error":
            errors = head.metadata.setdefault("errors", [])
            if len(errors) < _MOST_RESULTS:
                errors.append(_text(child))
        elif name == "date_range":
            head.begins, head.ends = _date_range(child)


def _date_range(part: Element) -> tuple[int, int]:
    told = {_local(child.tag): _text(child) for child in part}
    return _moment(told.get("begin", "")), _moment(told.get("end", ""))


def _moment(text: str) -> int:
    """In ms. Some write fractions of a second."""
    whole = text.partition(".")[0]
    if not (whole.isascii() and whole.isdecimal() and len(whole) < 15 and int(whole) < _LATEST):
        raise InvalidInput(f"its date_range says {text[:40]!r}, not seconds since 1970")
    return int(whole) * 1000


def _row(record: Element, tally: Tally) -> Row | None:
    """None, with a remark, for a record that says nothing that can be counted."""
    row: Row = {"dkim": [], "spf": []}
    for part in record:
        name = _local(part.tag)
        if name == "row":
            _read_row(row, part)
        elif name == "identifiers":
            row.update(_named(part, _IDENTIFIERS))
        elif name == "auth_results":
            _read_results(row, part, tally)
        elif name in ("extensions", "extension"):
            row["extensions"] = _extensions(part if name == "extensions" else (part,))
    return _checked(row, tally)


def _read_row(row: Row, part: Element) -> None:
    for child in part:
        name = _local(child.tag)
        if name == "policy_evaluated":
            _read_evaluation(row, child)
        elif name in ("source_ip", "count"):
            row[name] = _text(child)


def _read_evaluation(row: Row, part: Element) -> None:
    reasons = []
    for child in part:
        name = _local(child.tag)
        if name == "disposition":
            row[name] = _text(child).lower()
        elif name in ("dkim", "spf"):
            row[f"{name}_aligned"] = _ALIGNED.get(_text(child).lower())
        elif name == "reason":
            reasons.append(_named(child, _REASON))
    if reasons:
        row["reasons"] = reasons[:_MOST_RESULTS]


def _read_results(row: Row, part: Element, tally: Tally) -> None:
    for child in part:
        name = _local(child.tag)
        if name in ("dkim", "spf"):
            results = row[name]
            if len(results) >= _MOST_RESULTS:
                tally.remark(f"more than {_MOST_RESULTS} {name} results in one record: the others are passed over")
                continue
            result = _named(child, _RESULT)
            result["result"] = result.get("result", "").lower()
            results.append(result)


def _extensions(parts: Iterable[Element]) -> list[dict[str, str]]:
    """Of each, only what it is: its content is for those who know it."""
    return [
        {name: part.attrib[name][:MOST_TEXT] for name in ("name", "definition") if name in part.attrib}
        for part, _ in zip(parts, range(_MOST_RESULTS), strict=False)
    ]


def _checked(row: Row, tally: Tally) -> Row | None:
    address, count = row.get("source_ip", ""), row.get("count", "")
    canonical = _address(address)
    if canonical is None:
        tally.passed_over(f"source_ip {address[:60]!r} is no address")
        return None
    if not (count.isascii() and count.isdecimal() and len(count) < 20 and int(count) <= _MOST_COUNT):
        tally.passed_over(f"count {count[:60]!r} is not a number from 0 to {_MOST_COUNT:,}")
        return None
    row["source_ip"] = canonical
    row["count"] = int(count)
    if row.setdefault("dkim_aligned") is None and row.setdefault("spf_aligned") is None:
        tally.remark("a record does not say whether DKIM or SPF is aligned")
    row.setdefault("spf_aligned")
    row.setdefault("disposition", "")
    row.setdefault("header_from", "")
    return row


def _address(text: str) -> str | None:
    """In canonical form; None for what is no address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except (OSError, ValueError):
        return None


def _check(head: Head) -> None:
    """Without these it is not known what the report is, so whether it came before."""
    for name, value in (
        ("report_metadata/org_name", head.organisation),
        ("report_metadata/report_id", head.report_id),
        ("policy_published/domain", head.domain),
    ):
        if not value:
            raise InvalidInput(f"{name} is missing")
        if len(value) > _MOST_IDENTITY:
            raise InvalidInput(f"{name} has more than {_MOST_IDENTITY:,} characters")
    if not head.ends:
        raise InvalidInput("report_metadata/date_range is missing")
    if head.begins > head.ends:
        head.tally.remark("its time range ends before it begins: taken the other way round")
        head.begins, head.ends = head.ends, head.begins
    if not head.tally.records:
        head.tally.remark("there is no record in it")
