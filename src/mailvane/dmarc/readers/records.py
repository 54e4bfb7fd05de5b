"""What one record of an aggregate report says, as a row: who sent how much, and what became of it.

Most records of a domain differ from some other only in address and count, so the texts behind these are read once and
remembered. Knows no report.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from xml.etree.ElementTree import XML, Element

from mailvane.dmarc.counts import alignment_pattern, result_pattern
from mailvane.dmarc.readers.addresses import UNKNOWN, as_it_is_meant, canonical
from mailvane.dmarc.readers.tally import Tally

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
