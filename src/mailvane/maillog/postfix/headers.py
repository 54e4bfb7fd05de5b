"""Header values as Postfix's `header_checks` log them: cut out of the line, unfolded, decoded, reduced to addresses.

Postfix logs at most 200 characters of a header and writes a folded header's line break as `?` or as a space, so a
long encoded word may arrive without its end.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses
from functools import lru_cache

import msgspec

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.postfix.records import find_envelope

_NAMED = re.compile(r"header ([!-9;-~]++): ?")
_CLIENT = re.compile(r"local|unknown|[^\s;]*\[[^\]\s]*\](?::\d++)?")
_FOLD = re.compile(r"(?<![?\r\n])[?\r\n]++[ \t]+|[\r\n]+")
_PERHAPS_FOLD = re.compile(r"(\?[ \t]+|[\r\n]+[ \t]*)")
_LONGEST_VALUE = 1000  # characters of a value that are looked at; Postfix logs 200
_LONGEST_ADDRESSES = 400  # ours: likewise; the library goes deeper with every parenthesis
_SHORTEST_FOLDED_LINE = 50  # ours: mailers fold at 76 characters, at the last space before
_TORN_WORD = re.compile(r"=\?[^?\s]*(?:\?[^?\s]?(?:\?[^?\s]*\??)?)?$")
_BETWEEN_WORDS = re.compile(r"(=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)\?*\s+\?*(?==\?)")


# Nearly every From: a name without specials or in plain quotes, then the address, or the address alone (RFC 5322
# section 3.4). Everything else is left to the library, which is a hundred times slower.
_ATOM = r"[\w!#$%&'*+/=^{|}~.-]+"
_NAME = r"(?:[\w !#$%&'*+/=?^{|}~.-]*|\"[^\"\\?\r\n]*\" *)"
_PLAIN_ADDRESS = re.compile(rf"{_NAME}<({_ATOM}@[\w.-]+)>|({_ATOM}@[\w.-]+)", re.ASCII)


class LoggedHeader(msgspec.Struct, frozen=True, gc=False):
    """A header with what the line says of the mail that has it."""

    name: str  # in lower case
    value: str
    sender: str
    protocol: str


def read_header(text: str) -> LoggedHeader | None:
    """The header in the text after `info: ` or `warning: `, or None."""
    return _read_plain(text) or _read_any(text)


def _read_plain(text: str) -> LoggedHeader | None:
    """Cut by searching from the end, as nearly every line can be: a quarter of a busy log are headers."""
    colon, end = text.find(": "), text.rfind("; from=<")
    client = text.rfind(" from ", colon, end)
    envelope = _envelope(text[client:]) if colon > 0 and end > 0 and client > 0 else None
    if envelope is None or not text.startswith("header "):
        return None
    return LoggedHeader(text[7:colon].lower(), text[colon + 2 : client], *envelope)


# All headers of a mail end alike, and stand together.
@lru_cache(maxsize=1024)
def _envelope(text: str) -> tuple[str, str] | None:
    """`(sender, protocol)` of ` from CLIENT; from=<…> to=<…> proto=… helo=<…>`, which follows a value; None if odd."""
    end = text.rfind("; from=<")
    sender, closed, rest = text[end + 8 :].partition("> to=<")
    if not closed or text[end - 1] != "]":
        return None
    recipient, _, rest = rest.partition("> proto=")
    protocol, named, helo = rest.partition(" helo=<")
    # What is odd about a line, an action's text behind it or an address in angle brackets, is odd at its end.
    if '"' in text or ">" in sender or ">" in recipient or " " in text[6:end]:
        return None
    if not named or helo.find(">") != len(helo) - 1:
        return None
    return sender, protocol


def _read_any(text: str) -> LoggedHeader | None:
    named, envelope = _NAMED.match(text), find_envelope(text)
    if named is None or envelope is None:
        return None
    client = text.rfind(" from ", named.end() - 1, envelope.start())
    if client < 0 or not _CLIENT.fullmatch(text, client + 6, envelope.start()):
        return None
    value = text[named.end() : max(named.end(), client)]
    return LoggedHeader(named[1].lower(), value, envelope["sender"] or "", envelope["protocol"] or "")


def header_text(value: str) -> str:
    """The value as a person reads it: unfolded, RFC 2047 words decoded."""
    value = value[:_LONGEST_VALUE]
    if "=?" in value:
        return _encoded_text(value)
    return (_unfolded(value) if "?" in value or "\n" in value else value).strip()


# Senders write the same Subject to many people, and the same From again and again.
@lru_cache(maxsize=4096)
def _encoded_text(value: str) -> str:
    value = _BETWEEN_WORDS.sub(r"\1 ", value)
    start = value.rfind("=?")
    torn = _TORN_WORD.match(value, start)
    value = _unfolded(value[:start] if torn and not value.endswith("?=") else value)
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        return value.strip()
    return "".join(_decoded(part, charset) for part, charset in parts).strip() or value.strip()


@lru_cache(maxsize=16_384)
def header_address(value: str) -> str:
    """The bare address of a From or Reply-To header; the first one if there are several."""
    value = value[:_LONGEST_VALUE]
    plain = _PLAIN_ADDRESS.fullmatch(value)
    if plain:
        return canonical_address(plain[1] or plain[2])
    value = _FOLD.sub(" ", value[:_LONGEST_ADDRESSES])
    for _, address in getaddresses([value]):
        if "@" in address:
            return canonical_address(address.strip())
    return value.strip() if "@" in value and " " not in value.strip() else ""


CAMPAIGN = "x-mailvane-campaign"
_LONGEST_CAMPAIGN = 255  # characters, as the intake takes them


def campaign_name(value: str) -> str:
    """The name that X-Mailvane-Campaign gives."""
    return header_text(value)[:_LONGEST_CAMPAIGN]


def header_ids(value: str) -> str:
    """A list of Message-IDs on one line."""
    return " ".join(_FOLD.sub(" ", value[:_LONGEST_VALUE]).split())


def _unfolded(value: str) -> str:
    """A question mark and a space may be a fold, or the end of a question: a fold comes late in its line."""
    lines = [""]
    for piece in _PERHAPS_FOLD.split(value):
        if piece.startswith("?") and len(lines[-1]) < _SHORTEST_FOLDED_LINE:
            lines[-1] += piece
        elif piece.isspace() or piece.startswith("?"):
            lines.append("")
        else:
            lines[-1] += piece
    return " ".join(lines)


def _decoded(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    try:
        return part.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return part.decode("utf-8", "replace")
