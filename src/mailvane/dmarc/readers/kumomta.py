"""Reads log records of KumoMTA that tell of feedback and of late bounces; knows no file.

A record is about the report that came in, not about the mail that it tells of: `id`, `headers` and `meta` are the
report's. Of a late bounce (`OOB`), `sender` and `recipient` are those of the mail, and `headers` may name the mail in
In-Reply-To or References. Feedback has the report's fields in `feedback_report`, with the mail's own header and what
KumoMTA wrote into its trace header.

Source: https://docs.kumomta.com/reference/log_record/.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime
from typing import Annotated, Any

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address, domain_of
from mailvane.dmarc.intake import Failure, Found, Unread
from mailvane.dmarc.readers.failure import read_failure
from mailvane.dmarc.readers.mails import Part, read_header
from mailvane.maillog.complaints import LATE_BOUNCE, Bounce, EnclosedMail

MOST_RECORDS = 10_000
_REPORTS = frozenset({"OOB", "Feedback"})
_OTHERS = frozenset(
    {
        "Reception", "Delivery", "Bounce", "TransientFailure", "Expiration", "AdminBounce", "Rejection", "Delay",
        "DeferredInjectionRebind", "XferOut", "XferIn", "Any",
    }
)  # fmt: skip
_NAMED = re.compile(r"<[^<>\s]{1,998}>")
_ID = re.compile(r"(?=[^0-9]*[0-9])[0-9A-Za-z]{5,40}")  # a spool id, or one of ours
_MOST = 10
_MOST_TEXT = 4000


class _Code(msgspec.Struct, frozen=True):
    class_: int = msgspec.field(name="class", default=0)
    subject: int = 0
    detail: int = 0


class _Response(msgspec.Struct, frozen=True):
    code: int = 0
    enhanced_code: _Code | None = None
    content: str = ""


class _Peer(msgspec.Struct, frozen=True):
    name: str = ""
    addr: str = ""


class _Record(msgspec.Struct, frozen=True):
    """What is read of it."""

    type: str
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    timestamp: float | str
    sender: str = ""
    recipient: str | list[str] = ""  # a list in newer releases
    response: _Response | None = None
    peer_address: _Peer | None = None
    headers: dict[str, Any] | None = None
    feedback_report: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Record)
_type_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_records(content: bytes) -> bool:
    """Whether the first line is a log record of KumoMTA."""
    try:
        first = _type_of.decode(content.lstrip().partition(b"\n")[0])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    kind = first.get("type")
    return (
        kind is not None
        and {"id", "timestamp"} <= first.keys()
        and bytes(kind).strip(b'" ').decode() in (_REPORTS | _OTHERS)
    )


def read_records(content: bytes, name: str) -> Iterator[Found]:
    """What each line tells of. Records of other types are for the intake of events, and passed over here.

    Raises InvalidInput where none tells of a report, or there are too many.
    """
    found = 0
    for number, line in enumerate(content.splitlines(), 1):
        place = name if number == 1 else f"{name}: line {number}"
        if (read := _read(line, place)) is None:
            continue
        found += 1
        if found > MOST_RECORDS:
            raise InvalidInput(f"more than {MOST_RECORDS:,} reports")
        yield read
    if not found:
        raise InvalidInput("log records of KumoMTA, and none is of type OOB or Feedback")


def _read(line: bytes, name: str) -> Found | None:
    if not line.strip():
        return None
    try:
        record = _decoder.decode(line)
        if record.type not in _REPORTS:
            return None
        return _late_bounce(record, name) if record.type == "OOB" else _feedback(record, name)
    except (InvalidInput, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Unread(name=name, reason=f"a log record of KumoMTA: {error}")


def _late_bounce(record: _Record, name: str) -> Failure:
    """Raises InvalidInput."""
    sender, recipient = canonical_address(record.sender), canonical_address(_one(record.recipient))
    if not domain_of(sender) or not domain_of(recipient):
        raise InvalidInput("a late bounce names the sender and the recipient of the mail")
    at = _moment(record.timestamp)
    said = record.response or _Response()
    enhanced = said.enhanced_code
    code = f"{enhanced.class_}.{enhanced.subject}.{enhanced.detail}" if enhanced is not None else ""
    reporter = record.peer_address.name if record.peer_address is not None else ""
    message_id = _answered(record.headers or {})
    data = {
        "feedback_type": LATE_BOUNCE,
        "original_mail_from": sender,
        "original_rcpt_to": recipient,
        "reporting_mta": reporter,
        "status": code,
        "reply": f"{said.code or ''} {code} {said.content}".strip()[:_MOST_TEXT],
    }
    return Failure(
        name=name,
        domain=domain_of(sender),
        digest=hashlib.sha256(msgspec.json.encode([LATE_BOUNCE, record.id, recipient])).hexdigest()[:32],
        at=at,
        data={field: text for field, text in data.items() if text},
        mail=EnclosedMail(
            feedback_type=LATE_BOUNCE,
            reported_at=at,
            message_id=message_id,
            recipients=(recipient,),
            domains=(domain_of(sender),),
            reporter=reporter,
            bounce=Bounce(sender=sender, code=said.code, enhanced_code=code, reply=said.content[:_MOST_TEXT]),
        ),
    )


def _answered(headers: Mapping[str, Any]) -> str:
    """The Message-ID that the report answers: In-Reply-To, else the last of References (RFC 5322, section 3.6.4)."""
    known = {field.lower(): value for field, value in headers.items()}
    for field in ("in-reply-to", "references"):
        value = known.get(field)
        texts = value if isinstance(value, list) else [value]
        if names := [name for text in texts if isinstance(text, str) for name in _NAMED.findall(text[:_MOST_TEXT])]:
            return str(names[-1])
    return ""


def _feedback(record: _Record, name: str) -> Failure:
    """Raises InvalidInput."""
    report = record.feedback_report
    if report is None:
        raise InvalidInput("a feedback record without `feedback_report`")
    original = report.get("original_message")
    enclosed = read_header(original.encode("utf-8", "replace"))[0] if isinstance(original, str) else Message()
    trace = report.get("supplemental_trace")
    known: Mapping[str, Any] = trace if isinstance(trace, dict) else {}
    fields = _fields(report)
    if not (fields["Reported-Domain"] or fields["Original-Mail-From"] or enclosed["From"]):
        # Nobody says whose mail it is: the feedback loop is that of this domain.
        fields["Reported-Domain"] = domain_of(canonical_address(_one(record.recipient)))
    written = format_datetime(datetime.fromtimestamp(_moment(record.timestamp) / 1000, UTC))
    head = f"Message-ID: <{_line(record.id)}>\r\nDate: {written}\r\n\r\n"
    failure = read_failure(Part(head.encode()), fields, name, enclosed)
    named = [canonical_address(text) for each in ("recipient", "recipients") for text in _texts(known.get(each))]
    ids = [text for value in known.values() for text in _texts(value) if _ID.fullmatch(text)]
    mail = msgspec.structs.replace(
        failure.mail,
        ids=tuple(dict.fromkeys((*ids, *failure.mail.ids)))[:_MOST],
        recipients=tuple(dict.fromkeys((*named, *failure.mail.recipients)))[:_MOST],
    )
    return msgspec.structs.replace(failure, mail=mail)


def _fields(report: Mapping[str, Any]) -> Message:
    """As RFC 5965 names them."""
    fields = Message()
    for name, value in report.items():
        if name in ("original_message", "supplemental_trace", "extensions", "arrival_date"):
            continue
        # The documentation writes `original_rcpto_to`, the program `original_rcpt_to`.
        field = "Original-Rcpt-To" if name.startswith("original_rcpt") else name.replace("_", "-").title()
        _add(
            fields,
            field,
            [f"{value.get('mta_type', '')}; {value.get('name', '')}"] if isinstance(value, dict) else value,
        )
    extensions = report.get("extensions")
    for name, value in extensions.items() if isinstance(extensions, dict) else ():
        _add(fields, name, value)
    if arrived := report.get("arrival_date"):
        _add(fields, "Arrival-Date", format_datetime(datetime.fromtimestamp(_moment(arrived) / 1000, UTC)))
    return fields


def _add(fields: Message, name: str, value: object) -> None:
    for text in _texts(value):
        fields[_line(name)] = _line(text)


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(each) for each in values[:_MOST] if isinstance(each, str | int | float) and not isinstance(each, bool)]


def _one(value: str | list[str]) -> str:
    return value if isinstance(value, str) else next(iter(value), "")


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_TEXT]


def _moment(value: object) -> int:
    """In ms: KumoMTA writes seconds, or RFC 3339 text in a report. Raises InvalidInput."""
    try:
        seconds = float(value) if isinstance(value, int | float) else datetime.fromisoformat(str(value)).timestamp()
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(f"{str(value)[:40]!r} is no time") from None
    return round(seconds * 1000)
