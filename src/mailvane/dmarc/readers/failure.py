"""Reads reports of single mails: complaints (ARF, RFC 5965) and authentication failures (RFC 6591). Knows no file.

Of the mail that is told of, only what identifies it is kept: its text is nobody's affair.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address, domain_of
from mailvane.core.names import mail_domain
from mailvane.dmarc.intake import Failure
from mailvane.dmarc.readers.mails import Part, read_header, walk
from mailvane.maillog.complaints import EnclosedMail

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
        values = {name.lower(): value.strip() for name, value in _SAID.findall(said)}
        if values.keys() >= _NEEDED:
            return Worded(_fields(values), read_header(text[copied.end() :].encode() if copied else b"")[0])
    return None


def _fields(values: Mapping[str, str]) -> Message:
    aligned = [kind for kind in ("spf", "dkim") if values.get(f"{kind} alignment", "").lower() == "yes"]
    fields = Message()
    for name, value in (
        ("Feedback-Type", "auth-failure"),
        ("Auth-Failure", "dmarc"),
        ("Reported-Domain", values["sender domain"]),
        ("Source-IP", values["sender ip address"]),
        ("Arrival-Date", values.get("received date", "")),
        ("Delivery-Result", values.get("dmarc results", "").rpartition(",")[2].strip()),
        ("Identity-Alignment", ", ".join(aligned) or "none"),
    ):
        if value:
            fields[name] = value
    return fields


_MOST_BODY = 1000
_MOST_VALUES = 20
_MOST_IDS = 10
_QUEUE_ID = re.compile(r"[0-9A-Za-z]{5,20}")
_RECEIVED_ID = re.compile(r"\bid\s+<?([0-9A-Za-z]{5,40})\b", re.IGNORECASE)
_RECEIVED_FOR = re.compile(r"\bfor\s+<([^<>\s]{3,320})>", re.IGNORECASE)
_ADDRESSES = re.compile(r"[^\s<>,;:\"()@]+@[A-Za-z0-9][A-Za-z0-9.-]*")
_BRACKETED = re.compile(r"<[^<>\s@]*@[A-Za-z0-9][A-Za-z0-9.-]*>")
_SIGNED_BY = re.compile(r"(?:^|;)\s*d\s*=\s*([A-Za-z0-9._-]{1,253})")
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
_RECIPIENTS = ("Original-Rcpt-To", "Removal-Recipient")
_ORIGINAL_RECIPIENTS = ("X-HmXmrOriginalRecipient", "X-Original-To", "Delivered-To", "To", "Cc")
_ORIGINAL = {"From": "from", "To": "to", "Subject": "subject", "Date": "date", "Message-ID": "message_id"}


def report_part(mail: Part) -> Message | None:
    """The fields of the report, when a mail is one. Raises InvalidInput."""
    for part in walk(mail, into_mails=False):
        if part.kind == "message/feedback-report":
            return _parsed(part.content())
        if part.kind == "text/plain" and not part.holds_parts:
            text = part.content().lstrip()
            if text[:14].lower() == b"feedback-type:":
                return _parsed(text)
    return None


def read_failure(mail: Part, fields: Message, name: str, enclosed: Message | None = None) -> Failure:
    """`enclosed`: the header of the reported mail, where it is not a part of its own. Raises InvalidInput."""
    message = mail.headers
    report = _report_fields(fields)
    if not report.get("feedback_type"):
        raise InvalidInput("the feedback report does not say of what type it is")
    headers = _original_headers(mail) if enclosed is None else enclosed
    original = {name: _unfolded(str(headers[field])) for field, name in _ORIGINAL.items() if headers.get(field)}
    if original:
        report["original"] = original
    domain = _domain(report, original)
    if not domain:
        raise InvalidInput("the feedback report names no domain, and neither does the mail that it tells of")
    written = _moment(message.get("Date", ""))
    # Two people who complain about one mail may write the same: the reports themselves tell them apart.
    identity = [report, _bare(str(message.get("Message-ID", "")))]
    return Failure(
        name=name,
        domain=domain,
        digest=hashlib.sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()[:32],
        at=report.get("arrival_date") or written,
        data=report,
        mail=_enclosed(report, fields, headers, written),
    )


def _enclosed(report: Mapping[str, Any], fields: Message, headers: Message, written: int) -> EnclosedMail:
    original: Mapping[str, str] = report.get("original", {})
    text = original.get("message_id", "")
    bare = text.strip().strip("<>")
    # What may be a queue id, or an id of ours: as the reporter, the sender and each server on the way wrote it.
    given = str(headers.get("Feedback-ID", "")) + ":" + str(report.get("original_envelope_id", ""))
    found = [each for each in re.split(r"[^0-9A-Za-z]+", given[:_MOST_BODY]) if _QUEUE_ID.fullmatch(each)]
    for received in headers.get_all("Received", [])[:_MOST_VALUES]:
        found += _RECEIVED_ID.findall(_bare(str(received)))
    return EnclosedMail(
        feedback_type=report["feedback_type"],
        reported_at=written,
        arrived_at=report.get("arrival_date", 0),
        message_id=f"<{bare}>" if bare else "",
        ids=tuple(list(dict.fromkeys(found))[:_MOST_IDS]),
        recipients=tuple(_recipients(fields, headers)),
        domains=tuple(_domains(report, original, headers)),
        subject=original.get("subject", ""),
        reporter=report.get("reporting_mta") or report.get("user_agent", ""),
    )


def _recipients(fields: Message, headers: Message) -> Iterable[str]:
    given = [each for name in _RECIPIENTS for each in fields.get_all(name, [])[:_MOST_VALUES]]
    given += [each for name in _ORIGINAL_RECIPIENTS for each in headers.get_all(name, [])[:_MOST_VALUES]]
    for received in headers.get_all("Received", [])[:_MOST_VALUES]:
        given += _RECEIVED_FOR.findall(_bare(str(received)))
    found = [canonical_address(each) for text in given for each in _ADDRESSES.findall(_bare(str(text)))]
    return list(dict.fromkeys(found))[:_MOST_IDS]


def _domains(report: Mapping[str, Any], original: Mapping[str, str], headers: Message) -> Iterable[str]:
    """That the mail may be of, the likeliest first."""
    signatures = [_bare(str(each)) for each in headers.get_all("DKIM-Signature", [])[:_MOST_VALUES]]
    found = [domain_of(_address(original.get("from", "")))]
    found += [report.get("dkim_domain", ""), *(each for one in signatures for each in _SIGNED_BY.findall(one)[:1])]
    found += [*report.get("reported_domains", ()), domain_of(_address(report.get("original_mail_from", "")))]
    return list(dict.fromkeys(name for each in found if (name := mail_domain(str(each).strip().rstrip(".")))))


def _address(text: str) -> str:
    """The address of a field, without a name or comment; nothing where there is none."""
    bare = _bare(text)
    found = _BRACKETED.search(bare) or _ADDRESSES.search(bare)
    return canonical_address(found[0].strip("<>")) if found else ""


def _parsed(text: bytes) -> Message:
    return read_header(text.lstrip())[0]


def _report_fields(fields: Message) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for field, name in _TEXTS.items():
        text = _bare(str(fields.get(field, "")))
        if text:
            report[name] = text.lower() if name in _WORDS else text
    if address := _COMMENT.sub(" ", _bare(str(fields.get("Source-IP", "")))).strip():
        report["source_ip"] = address[:_MOST_BODY]
    if reporter := _bare(str(fields.get("Reporting-MTA", ""))):
        report["reporting_mta"] = reporter.rpartition(";")[2].strip()
    for field, name in (("Source-Port", "source_port"), ("Incidents", "incidents")):
        number = str(fields.get(field, "")).strip()
        if number.isascii() and number.isdecimal() and len(number) < 12:
            report[name] = int(number)
    if arrived := _moment(fields.get("Arrival-Date") or fields.get("Received-Date") or ""):
        report["arrival_date"] = arrived
    for field, name in (
        ("Authentication-Results", "authentication_results"),
        ("Reported-Domain", "reported_domains"),
        ("Reported-URI", "reported_uris"),
    ):
        if values := [_bare(str(value)) for value in fields.get_all(field, [])[:_MOST_VALUES]]:
            report[name] = values
    return report


def _original_headers(mail: Part) -> Message:
    """Of the reported mail; empty where the report encloses none."""
    for part in walk(mail, into_mails=False):
        if part is not mail and part.kind in _ORIGINALS:
            return _parsed(part.content())
    return Message()


def _domain(report: Mapping[str, Any], original: Mapping[str, str]) -> str:
    """The domain that the mail came from, as far as anybody says."""
    for text in report.get("reported_domains", ()):
        return mail_domain(str(text))
    for address in (original.get("from", ""), report.get("original_mail_from", "")):
        domain = domain_of(_address(str(address)))
        if "." in domain:
            return domain
    return mail_domain(str(report.get("dkim_domain", "")))


def _bare(text: str) -> str:
    # An encoded word may hold half a surrogate pair, which nothing can store.
    return " ".join(text.split())[:_MOST_BODY].encode("utf-8", "replace").decode()


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
