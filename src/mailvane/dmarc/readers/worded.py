"""Failure reports that a gateway tells in words, without the part for machines (RFC 6591): as fields. Knows no file.

The text is that of the recipe in Exim's documentation of DMARC, which many gateways send as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple

from mailvane.dmarc.readers.mails import Part, read_header, walk

_MOST_TEXT = 64 * 1024  # bytes
_SAID = re.compile(r"^[ \t]{0,20}([A-Za-z]{2,10}(?: [A-Za-z]{2,10}){1,2}):[ \t]*([^\n]{0,500})$", re.MULTILINE)
_COPY = re.compile(r"^-{2,20} This is a copy of the headers[^\n]*\n(?:[^\n]+\n){0,5}\n", re.MULTILINE)
_NEEDED = {"sender domain", "sender ip address"}


class Worded(NamedTuple):
    """The fields as RFC 6591 names them, and the header of the mail that failed."""

    fields: Message
    headers: Message


def in_words(mail: Part) -> Worded | None:
    """None for a mail that is no such report. Raises InvalidInput."""
    for part in walk(mail, into_mails=False):
        if part.kind != "text/plain" or part.holds_parts:
            continue
        text = part.content()[:_MOST_TEXT].decode("utf-8", "replace").replace("\r\n", "\n")
        copied = _COPY.search(text)
        said = text[: copied.start()] if copied else text
        told = {name.lower(): value.strip() for name, value in _SAID.findall(said)}
        if told.keys() >= _NEEDED:
            return Worded(_fields(told), read_header(text[copied.end() :].encode() if copied else b"")[0])
    return None


def _fields(told: Mapping[str, str]) -> Message:
    aligned = [kind for kind in ("spf", "dkim") if told.get(f"{kind} alignment", "").lower() == "yes"]
    fields = Message()
    for name, value in (
        ("Feedback-Type", "auth-failure"),
        ("Auth-Failure", "dmarc"),
        ("Reported-Domain", told["sender domain"]),
        ("Source-IP", told["sender ip address"]),
        ("Arrival-Date", told.get("received date", "")),
        ("Delivery-Result", told.get("dmarc results", "").rpartition(",")[2].strip()),
        ("Identity-Alignment", ", ".join(aligned) or "none"),
    ):
        if value:
            fields[name] = value
    return fields
