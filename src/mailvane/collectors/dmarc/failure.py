"""Reads reports of single mails: complaints (ARF, RFC 5965) and authentication failures (RFC 6591). Knows no file.

Of the mail that is told of, only what identifies it is kept: its text is nobody's affair.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any

import msgspec

from mailvane.errors import InvalidInput
from mailvane.services.report_intake import Failure

_MOST_TEXT = 1000
_MOST_VALUES = 20
_COMMENT = re.compile(r"\s*\([^()]*\)\s*")
_ORIGINALS = ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers")

# What one line each says: name of the field -> our name.
_TEXTS: Mapping[str, str] = {
    "Feedback-Type": "feedback_type",
    "User-Agent": "user_agent",
    "Version": "version",
    "Original-Envelope-Id": "original_envelope_id",
    "Original-Mail-From": "original_mail_from",
    "Original-Rcpt-To": "original_rcpt_to",
    "Auth-Failure": "auth_failure",
    "Delivery-Result": "delivery_result",
    "Identity-Alignment": "identity_alignment",
    "DKIM-Domain": "dkim_domain",
    "DKIM-Identity": "dkim_identity",
    "DKIM-Selector": "dkim_selector",
    "DKIM-Selector-DNS": "dkim_selector_dns",
    "DKIM-ADSP-DNS": "dkim_adsp_dns",
    "SPF-DNS": "spf_dns",
}
_WORDS = frozenset({"feedback_type", "auth_failure", "delivery_result", "identity_alignment"})
_ORIGINAL = {"From": "from", "To": "to", "Subject": "subject", "Date": "date", "Message-ID": "message_id"}


def report_part(message: Message) -> Message | None:
    """The fields of the report, when a mail is one."""
    for part in _outer_parts(message):
        if part.get_content_type() == "message/feedback-report":
            return _fields(part)
        if part.get_content_type() == "text/plain":
            text = _content(part)
            if text.lstrip()[:14].lower() == b"feedback-type:":
                return _parsed(text.lstrip())
    return None


def read_failure(message: Message, fields: Message, name: str) -> Failure:
    """Raises InvalidInput."""
    told = _told(fields)
    if not told.get("feedback_type"):
        raise InvalidInput("the feedback report does not say of what type it is")
    original = _original(message)
    if original:
        told["original"] = original
    domain = _domain(told, original)
    if not domain:
        raise InvalidInput("the feedback report names no domain, and neither does the mail that it tells of")
    return Failure(
        name=name,
        domain=domain,
        digest=hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()[:32],
        at=told.get("arrival_date") or _moment(message.get("Date", "")),
        data=told,
    )


def _outer_parts(message: Message) -> Iterator[Message]:
    """All but those of mails inside."""
    yield message
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _outer_parts(part)


def _fields(part: Message) -> Message:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        if inner[0].keys():
            return inner[0]
        inner = inner[0].get_payload()
    text = inner if isinstance(inner, str) else ""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        try:
            return _parsed(base64.b64decode(text))
        except (binascii.Error, ValueError):
            raise InvalidInput("the feedback report is not in the encoding that it says") from None
    return _parsed(text.encode("utf-8", "replace"))


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _parsed(text: bytes) -> Message:
    return BytesParser().parsebytes(text, headersonly=True)


def _told(fields: Message) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field, name in _TEXTS.items():
        text = _bare(str(fields.get(field, "")))
        if text:
            told[name] = text.lower() if name in _WORDS else text
    if address := _COMMENT.sub(" ", str(fields.get("Source-IP", ""))).strip():
        told["source_ip"] = address[:_MOST_TEXT]
    if reporter := _bare(str(fields.get("Reporting-MTA", ""))):
        told["reporting_mta"] = reporter.rpartition(";")[2].strip()
    for field, name in (("Source-Port", "source_port"), ("Incidents", "incidents")):
        number = str(fields.get(field, "")).strip()
        if number.isascii() and number.isdecimal() and len(number) < 12:
            told[name] = int(number)
    if arrived := _moment(fields.get("Arrival-Date") or fields.get("Received-Date") or ""):
        told["arrival_date"] = arrived
    for field, name in (
        ("Authentication-Results", "authentication_results"),
        ("Reported-Domain", "reported_domains"),
        ("Reported-URI", "reported_uris"),
    ):
        if values := [_bare(str(value)) for value in fields.get_all(field, [])[:_MOST_VALUES]]:
            told[name] = values
    return told


def _original(message: Message) -> dict[str, str]:
    """Who sent what to whom, of the mail that is told of."""
    for part in _outer_parts(message):
        if part is not message and part.get_content_type() in _ORIGINALS:
            headers = _headers(part)
            return {name: _unfolded(str(headers[field])) for field, name in _ORIGINAL.items() if headers.get(field)}
    return {}


def _headers(part: Message) -> Message:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return inner[0]
    return HeaderParser().parsestr(_content(part).decode("utf-8", "replace").lstrip())


def _domain(told: Mapping[str, Any], original: Mapping[str, str]) -> str:
    """The domain that the mail came from, as far as anybody says."""
    for text in told.get("reported_domains", ()):
        return str(text).lower()
    for address in (original.get("from", ""), told.get("original_mail_from", "")):
        domain = parseaddr(address)[1].rpartition("@")[2].lower()
        if "." in domain:
            return domain
    return str(told.get("dkim_domain", "")).lower()


def _bare(text: str) -> str:
    # An encoded word may hold half a surrogate pair, which nothing can store.
    return " ".join(text.split())[:_MOST_TEXT].encode("utf-8", "replace").decode()


def _unfolded(text: str) -> str:
    try:
        return _bare(str(make_header(decode_header(text))))
    except (ValueError, LookupError, MessageError):
        return _bare(text)


def _moment(text: object) -> int:
    """In ms; 0 for what is no date."""
    try:
        moment = parsedate_to_datetime(_bare(str(text)))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0
