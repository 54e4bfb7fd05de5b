"""What one record of an aggregate report says, as a row: who sent how much, and what became of it.

Most records of a domain differ from some other only in address and count, so the texts behind these are read once and
remembered. Knows no report.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import XML, Element

import msgspec

from mailvane.dmarc.counts import Counts, alignment_pattern, counts_of, result_pattern

IN_MEMORY = 5_000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


class Spool:
    """Written once, then read any number of times until it is closed."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._rows: list[Mapping[str, Any]] = []
        self._file: IO[bytes] | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= self._in_memory:
            if self._file is None:
                self._file = TemporaryFile()  # noqa: SIM115  - closed by `__exit__`
            self._file.write(_encoder.encode_lines(self._rows))
            self._rows = []

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if self._file is not None:
            self._file.seek(0)
            for line in self._file:
                yield _decoder.decode(line)
        yield from self._rows

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


# What the rows of an aggregate report add up to, and what of them was passed over. Knows no XML.


_MOST_REMARKS = 10


class Tally:
    """Of one report, while it is read."""

    def __init__(self) -> None:
        self.rows = 0
        self._messages: dict[int, int] = {}  # by pattern
        self._remarks: dict[str, None] = {}
        self._passed_over = 0

    def count(self, pattern: int, messages: int) -> None:
        self.rows += 1
        self._messages[pattern] = self._messages.get(pattern, 0) + messages

    def passed_over(self, why: str) -> None:
        """A record that cannot be counted."""
        self._passed_over += 1
        self.remark(f"a record was passed over: {why}")

    def remark(self, text: str) -> None:
        if len(self._remarks) < _MOST_REMARKS:
            self._remarks[text] = None

    @property
    def is_empty(self) -> bool:
        return not self.rows and not self._passed_over

    @property
    def remarks(self) -> tuple[str, ...]:
        if self._passed_over > 1:
            return (*self._remarks, f"{self._passed_over:,} records were passed over in all")
        return tuple(self._remarks)

    @property
    def counts(self) -> Counts:
        return counts_of(self._messages)


# IP addresses as reporters write them, in canonical form. Pure.
#
# Some write a port, brackets, a zone or leading zeros, and some put letters in the place of numbers to protect people.


UNKNOWN = "unknown address"
_LONGEST = 100
_MAPPED = "::ffff:"  # RFC 4291 section 2.5.5.2
_BRACKETED = re.compile(r"\[(?:IPv6:)?([^\[\]]*)\](?::[0-9]{1,5})?", re.IGNORECASE)
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_DECIMAL = re.compile(r"0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})")


def canonical(text: str) -> str | None:
    """As RFC 5952 writes it, an IPv4 address within IPv6 as what it is; None for what is no address."""
    family = AF_INET6 if ":" in text else AF_INET
    try:
        found = inet_ntop(family, inet_pton(family, text))
    except (OSError, ValueError):
        return None
    return found.removeprefix(_MAPPED) if found.startswith(_MAPPED) and "." in found else found


def as_it_is_meant(text: str) -> str:
    """The address behind what surrounds it; UNKNOWN where there is none."""
    bare = text.strip()[:_LONGEST]
    bracketed = _BRACKETED.fullmatch(bare)
    bare = (bracketed[1] if bracketed else bare).partition("%")[0]
    with_port = _WITH_PORT.fullmatch(bare)
    bare = with_port[1] if with_port else bare
    decimal = _DECIMAL.fullmatch(bare)
    return canonical(".".join(decimal.groups()) if decimal else bare) or UNKNOWN


Row = dict[str, Any]

MOST_TEXT = 1000  # characters of one value; what is longer is cut
_MOST_RESULTS = 100  # of one kind in a record; RFC 9990 asks for no more signatures than these
_MOST_COUNT = 10**12
_REMEMBERED = 2048
_MOST_REMEMBERED = 1536  # bytes of one record
_IDENTIFIERS = frozenset({"envelope_to", "envelope_from", "header_from"})
_EVALUATION = frozenset({"disposition", "dkim_aligned", "spf_aligned", "reasons"})
_REST = _IDENTIFIERS | {"dkim", "spf", "extensions"}
_REASON = frozenset({"type", "comment"})
_RESULT = frozenset({"domain", "selector", "scope", "result", "human_result"})
_ALIGNED = {"pass": True, "fail": False}
_ROW_ENDS = b"</row>"
_USUAL = re.compile(
    rb"<record>[ \t\r\n]*<row>[ \t\r\n]*<source_ip>([^<&]*)</source_ip>"
    rb"[ \t\r\n]*<count>([^<&]*)</count>"
)


class _Said(NamedTuple):
    row: Row
    pattern: int
    remark: str


def row_of(record: Element, tally: Tally) -> Row | None:
    """None, with a remark, for a record that says nothing that can be counted."""
    parsed, remark = _parsed(record)
    address, count = parsed.get("source_ip", ""), parsed.get("count", "")
    meant = address if canonical(address) else as_it_is_meant(address)
    row = _counted(meant, count, _evaluation(parsed), _rest(parsed, remark), tally)
    if row is None:
        tally.passed_over(f"count {count[:60]!r} is not a number from 0 to {_MOST_COUNT:,}")
    elif meant is not address:
        tally.remark(f"source_ip {address[:60]!r} is no address: counted as {meant}")
    return row


def row_of_text(text: bytes, begins: int, ends: int, tally: Tally) -> Row | None:
    """The same of a record's own text, in UTF-8 and without declarations. Raises ParseError.

    What is not parsed here is an address, a number, or the same as what was parsed before: so it is well-formed.
    """
    usual = _USUAL.match(text, begins, ends)
    if usual is not None and ends - begins <= _MOST_REMEMBERED:
        behind = usual.end()
        middle = text.find(_ROW_ENDS, behind, ends)
        evaluation = _evaluation_of(text[behind:middle])
        rest = _rest_of(text[middle + len(_ROW_ENDS) : ends])
        if middle >= 0 and evaluation is not None and rest is not None:
            address, count = usual.groups()
            row = _counted(
                address.decode("ascii", "replace"), count.decode("ascii", "replace"), evaluation, rest, tally
            )
            if row is not None:
                return row
    return row_of(XML(text[begins:ends]), tally)


@lru_cache(_REMEMBERED)
def _evaluation_of(text: bytes) -> _Said | None:
    """Of what follows the count within `row`; None when there is more than is usual."""
    parsed, _ = _parsed(XML(b"<record><row>" + text + b"</row></record>"))
    return _evaluation(parsed) if _EVALUATION.issuperset(parsed) else None


@lru_cache(_REMEMBERED)
def _rest_of(text: bytes) -> _Said | None:
    """Of what follows `row`; None when there is more than is usual."""
    parsed, remark = _parsed(XML(b"<record>" + text))
    return _rest(parsed, remark) if _REST.issuperset(parsed) else None


def _evaluation(parsed: Row) -> _Said:
    row: Row = {"disposition": "", "dkim_aligned": None, "spf_aligned": None}
    row |= {name: parsed[name] for name in parsed if name in _EVALUATION}
    unsaid = row["dkim_aligned"] is None or row["spf_aligned"] is None
    return _Said(
        row, alignment_pattern(row), "a record does not say whether DKIM and SPF are aligned" if unsaid else ""
    )


def _rest(parsed: Row, remark: str) -> _Said:
    row: Row = {"header_from": "", "dkim": [], "spf": []}
    row |= {name: parsed[name] for name in parsed if name in _REST}
    return _Said(row, result_pattern(row), remark)


def _counted(address: str, count: str, evaluation: _Said, rest: _Said, tally: Tally) -> Row | None:
    known = canonical(address) or (address if address == UNKNOWN else None)
    if known is None or not (count.isdecimal() and count.isascii() and len(count) < 20):
        return None
    messages = int(count)
    if messages > _MOST_COUNT:
        return None
    evaluated, alignments, unsaid = evaluation
    behind, results, cut = rest
    tally.count(alignments | results, messages)
    if unsaid or cut:
        tally.remark(unsaid or cut)
    return {"source_ip": known, "count": messages, **evaluated, **behind}


def _parsed(record: Element) -> tuple[Row, str]:
    """What is said, and no more; with a remark, when something of it is passed over."""
    row: Row = {}
    remark = ""
    for part in record:
        name = local(part.tag)
        if name == "row":
            _read_row(row, part)
        elif name == "identifiers":
            row.update(named(part, _IDENTIFIERS))
        elif name == "auth_results":
            remark = _read_results(row, part) or remark
        elif name in ("extensions", "extension"):
            row["extensions"] = extensions(part if name == "extensions" else (part,))
    return row, remark


def _read_row(row: Row, part: Element) -> None:
    for child in part:
        name = local(child.tag)
        if name == "policy_evaluated":
            _read_evaluation(row, child)
        elif name in ("source_ip", "count"):
            row[name] = text_of(child)


def _read_evaluation(row: Row, part: Element) -> None:
    reasons = []
    for child in part:
        name = local(child.tag)
        if name == "disposition":
            row[name] = text_of(child).lower()
        elif name in ("dkim", "spf"):
            row[f"{name}_aligned"] = _ALIGNED.get(text_of(child).lower())
        elif name == "reason":
            reasons.append(named(child, _REASON))
    if reasons:
        row["reasons"] = reasons[:_MOST_RESULTS]


def _read_results(row: Row, part: Element) -> str:
    remark = ""
    for child in part:
        name = local(child.tag)
        if name not in ("dkim", "spf"):
            continue
        results = row.setdefault(name, [])
        if len(results) >= _MOST_RESULTS:
            remark = f"a record has more than {_MOST_RESULTS} results of {name}: the others are passed over"
            continue
        result = named(child, _RESULT)
        result["result"] = result.get("result", "").lower()
        results.append(result)
    return remark


def extensions(parts: Iterable[Element]) -> list[Mapping[str, str]]:
    """Of each, only what it is: its content is for those who know it."""
    return [
        {name: part.attrib[name][:MOST_TEXT] for name in ("name", "definition") if name in part.attrib}
        for part, _ in zip(parts, range(_MOST_RESULTS), strict=False)
    ]


def named(part: Element, names: Container[str]) -> dict[str, str]:
    """The texts of children, by name."""
    return {name: text_of(child) for child in part if (name := local(child.tag)) in names}


def local(tag: str) -> str:
    """A name without its namespace."""
    return tag[tag.rfind("}") + 1 :] if tag[0] == "{" else tag


def text_of(element: Element) -> str:
    text = element.text
    return text.strip()[:MOST_TEXT] if text else ""
