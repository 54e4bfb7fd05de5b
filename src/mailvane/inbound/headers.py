"""What the header of a mail says, as far as somebody here asks. Pure; bodies are not parsed.

A header is bytes from outside: whatever cannot be read is empty, and nothing raises.
"""

from __future__ import annotations

import re
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import getaddresses

import msgspec

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.automatic import says_automatic

LONGEST_HEADER = 256 * 1024  # bytes; a longer one is refused
_LONGEST_VALUE = 998
_MOST_IDS = 20  # ours: of a list of Message-IDs, the last; a long thread is found by its newest mails
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")
# A field with the lines that continue it; and what is passed over: the line of an mbox, and what continues nothing.
_FIELD = re.compile(r"([!-9;-~]*):([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_NO_FIELD = re.compile(r"(?:From |[ \t])[^\n]*(?:\n|\Z)")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_WORDS = rf"{_ATOM}(?: {_ATOM})*"
_MAILBOX = re.compile(rf"(?:({_WORDS}|\"{_WORDS}\") )?<({_ADDRESS})>|({_ADDRESS})")  # as nearly all are written


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """Of one mail."""

    fields: tuple[tuple[str, str], ...]  # name and raw value, in their order, unfolded
    from_address: str  # canonical, local part as written; of the first mailbox in From
    from_name: str
    subject: str
    message_id: str
    received: int  # how many relays have had it

    def all(self, name: str) -> list[str]:
        """The values of the fields of that name, the topmost first."""
        lowered = name.lower()
        return [value for field, value in self.fields if field.lower() == lowered]

    def first(self, name: str) -> str:
        """The topmost one, decoded; empty when there is none."""
        found = self.all(name)
        return decoded(found[0]) if found else ""

    def ids(self, name: str) -> str:
        """The Message-IDs of In-Reply-To or References (RFC 5322, section 3.6.4), the newest last."""
        found = [each for value in self.all(name) for each in _MESSAGE_ID.findall(_text(value))]
        return " ".join(each for each in found[-_MOST_IDS:] if each.isprintable())

    @property
    def is_automatic(self) -> bool:
        """Whether a program wrote the mail."""
        return any(says_automatic(name.lower(), value) for name, value in self.fields)


def header_length(content: bytes) -> int:
    """Where the header ends: bytes before the empty line, or all when there is none."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return len(content) if end < 0 else end + 2


def read_headers(content: bytes) -> Headers:
    """Of a whole mail."""
    fields = _fields(content[: min(header_length(content), LONGEST_HEADER)])
    names = [name.lower() for name, _ in fields]
    first = {name: value for name, (_, value) in zip(reversed(names), reversed(fields), strict=True)}
    name, address = _mailbox(first.get("from", ""))
    return Headers(
        fields=fields,
        from_address=address,
        from_name=name,
        subject=decoded(first.get("subject", "")),
        message_id=_clean(first.get("message-id", "")).strip(),
        received=names.count("received"),
    )


def _fields(header: bytes) -> tuple[tuple[str, str], ...]:
    """As the standard library's parser has them, which takes twenty times as long: it ends at the first line that is
    neither a field nor continues one, and leaves out fields without a name."""
    text = header.decode("ascii", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    found: list[tuple[str, str]] = []
    place = 0
    while match := _FIELD.match(text, place) or _NO_FIELD.match(text, place):
        place = match.end()
        if match.re is _FIELD and match[1]:
            found.append((match[1], match[2].lstrip(" \t").replace("\n", "")))
    return tuple(found)


def decoded(value: str) -> str:
    """With encoded words (RFC 2047) as people read them, and bytes without a charset as UTF-8 or Latin-1."""
    text = _text(value)
    if "=?" in text:
        try:
            text = str(make_header(decode_header(text)))
        except (MessageError, ValueError, LookupError, AssertionError):
            return _clean(text)
    return _clean(text)


def _mailbox(value: str) -> tuple[str, str]:
    """Name and address of the first mailbox."""
    plainly = _MAILBOX.fullmatch(value)
    if plainly is not None:
        name, address = (plainly[1] or "").strip('"'), plainly[2] or plainly[3]
        return decoded(name), canonical_address(address)[:320]
    try:
        found = getaddresses([_text(value)])
    except (MessageError, ValueError, LookupError, IndexError, TypeError):
        found = []
    name, address = next(((name, address) for name, address in found if "@" in address), ("", ""))
    if any(character.isspace() for character in address):
        return "", ""
    return decoded(name), canonical_address(_clean(address))[:320]


def _text(value: str) -> str:
    """Bytes that are not ASCII come as surrogates."""
    raw = value.encode("utf-8", "surrogateescape") if value.isascii() is False else b""
    if not raw:
        return value
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _clean(value: str) -> str:
    if not value.isprintable():
        value = "".join(character if character.isprintable() else " " for character in value)
    return value[:_LONGEST_VALUE].strip()
