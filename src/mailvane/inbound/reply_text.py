"""What the author of a reply wrote: its text without what it quotes. Pure; whatever cannot be read is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser

_LONGEST_MAIL = 256 * 1024  # bytes that are looked at
_LONGEST_TEXT = 4000  # characters that are kept
_UNSEEN = frozenset({"style", "script", "head", "title", "blockquote"})
_BREAKING = frozenset({"br", "div", "p", "li", "tr", "h1", "h2", "h3"})
# ours: what stands above the quoted mail in the programs that people use, in English and German.
_QUOTING = re.compile(
    r"(On|Am) .{4,200}(wrote|schrieb).{0,200}:|_{20,}|"
    r"-{2,} ?(Original Message|Ursprüngliche Nachricht|Forwarded message) ?-{2,}",
    re.IGNORECASE,
)
_PARSER = BytesParser(policy=default)


def reply_text(content: bytes) -> str:
    """Of a whole mail."""
    try:
        mail = _PARSER.parsebytes(content[:_LONGEST_MAIL])
        part = mail.get_body(("plain", "html")) if isinstance(mail, EmailMessage) else None
        if part is None:
            return ""
        text = str(part.get_content())
        is_page = part.get_content_type() == "text/html"
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    return "\n".join(_own(_seen(text) if is_page else text)).strip()[:_LONGEST_TEXT]


def _own(text: str) -> Iterator[str]:
    for written in text.splitlines():
        line = "".join(character if character.isprintable() else " " for character in written).rstrip()
        if _QUOTING.fullmatch(line.strip()) or line == "--":
            return
        if not line.lstrip().startswith(">"):
            yield line


def _seen(page: str) -> str:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "".join(reader.text)


class _Reader(HTMLParser):
    """Gathers what a reader of the page sees, without quotations."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the library's
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _BREAKING:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.text.append(data)
