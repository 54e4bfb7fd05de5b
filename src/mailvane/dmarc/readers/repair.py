"""Makes XML that is nearly an aggregate report well-formed, and says what was changed. The second reading of a report.

What people meet: letters in another encoding than the declared one, `&` and `<` in names that nobody escaped, elements
around the report that are never closed, something before or behind it. A report that is cut off stays one that is cut
off: only elements that are not of a report may be missing their end. Every step goes through the text once, comments
are left away. Reads no report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

MOST_BYTES = 4 * 1024**2  # what is longer is read strictly or not at all
_MOST_PIECES = 400_000  # tags, and texts between them
_DEEPEST = 100
_ROOT = re.compile(r"<((?:[A-Za-z_][\w.-]{0,99}:)?feedback)(?=[\s>/])")
# Of RFC 7489 appendix C and RFC 9990: an element of these that has no end was cut off.
_REPORTED = frozenset(
    {
        *("feedback", "version", "report_metadata", "org_name", "email", "extra_contact_info", "report_id"),
        *("date_range", "begin", "end", "error", "generator", "policy_published", "domain", "adkim", "aspf", "p", "sp"),
        *("np", "pct", "fo", "testing", "discovery_method", "record", "row", "source_ip", "count", "policy_evaluated"),
        *("disposition", "dkim", "spf", "reason", "type", "comment", "identifiers", "envelope_to", "envelope_from"),
        *("header_from", "auth_results", "selector", "result", "human_result", "scope", "extensions", "extension"),
    }
)
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(
    r"&(?:(amp|lt|gt|quot|apos);|#([0-9]{1,7});|#x([0-9A-Fa-f]{1,6});|([A-Za-z][A-Za-z0-9]{0,31};))?"
)
_USUAL_BEGINNING = re.compile(r"\ufeff?\s*(?:<\?xml\s[^<>]*\?>)?\s*")
_NAME = r"[A-Za-z_][\w.-]{0,99}(?::[A-Za-z_][\w.-]{0,99})?"
_VALUE = r"""\s{0,99}=\s{0,99}(?:"[^"<]{0,2000}"|'[^'<]{0,2000}')"""
_TAG = re.compile(rf"<(/?)({_NAME})((?:\s{{1,99}}{_NAME}{_VALUE}){{0,50}})\s{{0,99}}(/?)>")
_REPLACED = "\N{REPLACEMENT CHARACTER}"

OUTSIDE = "what stands outside of the report was passed over"
BYTES = "bytes that are not of its encoding were replaced"
CHARACTERS = "characters that XML does not allow were replaced"
UNESCAPED = "an ampersand or angle bracket that is not escaped was taken as it is meant"
UNCLOSED = "an element that is not closed was passed over"


def repaired(content: bytes) -> tuple[bytes, list[str]] | None:
    """In UTF-8, with what was changed; None where nothing helps."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]:
        return None  # UTF-16 with a fault in it
    changed: dict[str, None] = {}
    text = content.decode("utf-8", "replace")
    if text.encode() != content:
        changed[BYTES] = None
    place = _place(text)
    if place is None:
        return None
    inner = text[place]
    if not _USUAL_BEGINNING.fullmatch(text[: place.start]) or text[place.stop :].strip():
        changed[OUTSIDE] = None
    allowed = _IMPOSSIBLE.sub(_REPLACED, inner)
    if allowed != inner:
        changed[CHARACTERS] = None
    balanced = _balanced(_pieces(allowed, changed), changed)
    return None if balanced is None else (balanced.encode(), list(changed))


def _place(text: str) -> slice | None:
    """From the root element to its end."""
    begins = _ROOT.search(text)
    if begins is None:
        return None
    ends = text.rfind(f"</{begins[1]}")
    closed = text.find(">", ends) if ends > begins.start() else -1
    return None if closed < 0 else slice(begins.start(), closed + 1)


def _pieces(text: str, changed: dict[str, None]) -> Iterator[tuple[str, str]]:
    """Tags with their names (with "/" before that of a closing one, behind that of an empty one), and text without."""
    place = 0
    while place < len(text):
        begins = text.find("<", place)
        if begins < 0:
            begins = len(text)
        if begins > place:
            yield _escaped(text[place:begins], changed), ""
        if begins == len(text):
            return
        end = _aside(text, begins)
        found = None if end else _TAG.match(text, begins)
        if found is not None:
            end = found.end()
            yield _escaped(found[0], changed), f"{found[1]}{found[2]}{found[4]}"
        elif not end:
            changed[UNESCAPED] = None
            end = begins + 1
            yield "&lt;", ""
        place = end


def _aside(text: str, begins: int) -> int:
    """Where a comment or instruction ends, which says nothing; 0 for what is neither. CDATA is no part of reports."""
    for opening, closing in (("<!--", "-->"), ("<?", "?>")):
        if text.startswith(opening, begins):
            ends = text.find(closing, begins + len(opening), begins + 1000)
            return ends + len(closing) if ends >= 0 else 0
    return 0


def _escaped(text: str, changed: dict[str, None]) -> str:
    if "&" not in text:
        return text

    def replaced(found: re.Match[str]) -> str:
        known, decimal, hexadecimal, named = found.groups()
        if known:
            return found[0]
        if decimal or hexadecimal:
            if _is_allowed(int(decimal) if decimal else int(hexadecimal, 16)):
                return found[0]
            changed[CHARACTERS] = None
            return _REPLACED
        changed[UNESCAPED] = None
        letter = html5.get(named or "", "")
        return letter if letter and letter not in "<>&" else "&amp;" + found[0][1:]

    return _REFERENCE.sub(replaced, text)


def _is_allowed(number: int) -> bool:
    """Whether a character of that number may stand in XML 1.0 (section 2.2)."""
    return number in (9, 10, 13) or (0x20 <= number <= 0x10FFFF and not _IMPOSSIBLE.match(chr(number)))


def _balanced(pieces: Iterator[tuple[str, str]], changed: dict[str, None]) -> str | None:
    """Without tags of elements that are not of a report and have no other end; None where a report's own has none."""
    remarks: list[str] = []
    opened: list[tuple[str, int]] = []  # name, place in `told`
    for piece, name in pieces:
        remarks.append(piece)
        if len(remarks) > _MOST_PIECES or len(opened) > _DEEPEST:
            return None
        if not name or name.endswith("/"):
            continue
        if not name.startswith("/"):
            opened.append((name, len(remarks) - 1))
            continue
        if not any(each == name[1:] for each, _ in opened):
            if _is_reported(name[1:]):
                return None
            remarks[-1] = ""
            changed[UNCLOSED] = None
            continue
        while opened[-1][0] != name[1:]:
            unclosed, place = opened.pop()
            if _is_reported(unclosed):
                return None
            remarks[place] = ""
            changed[UNCLOSED] = None
        opened.pop()
    return None if opened else "".join(remarks)


def _is_reported(name: str) -> bool:
    return name.rpartition(":")[2] in _REPORTED
