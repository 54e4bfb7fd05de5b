"""What SES tells of a mail, as mail events and as feedback on its domain. Values in, values out; nothing is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.utils import parseaddr
from ipaddress import ip_address
from typing import Any

import msgspec

from mailvane.core.mailbox import canonical_address, domain_of
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily, mail_number
from mailvane.maillog.reasons import Reasons
from mailvane.outbound.ses.record import CommonHeaders, Mail, Recipient, Record
from mailvane.outbound.ses.sns import Envelope, milliseconds

SOURCE = "ses"
_PERMANENT = "Permanent"
_UNSENT = "OnAccountSuppressionList"  # of bounces and complaints: SES knew the address and sent nothing
_NOT_SPAM = "not-spam"  # the opposite of a complaint, told by the same way
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_SMTP = re.compile(
    r"(?:smtp;\s*)?(?P<reply>(?P<code>[245]\d\d)?[ -]?(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})?.*)", re.DOTALL
)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_LONGEST_RAW = 8192
_LONGEST = {"subject": 4096, "reply": 8192, "references": 16384, "message_id": 1024, "in_reply_to": 4096}
_LONGEST_OTHER = 512
_MOST_RECIPIENTS = 1000  # SES itself takes 50 a mail

_BOUNCE_FAMILIES = {
    "NoEmail": ReasonFamily.UNKNOWN_USER,
    "Suppressed": ReasonFamily.POLICY,
    _UNSENT: ReasonFamily.POLICY,
    "MailboxFull": ReasonFamily.MAILBOX_FULL,
    "MessageTooLarge": ReasonFamily.CONTENT,
    "ContentRejected": ReasonFamily.CONTENT,
    "AttachmentRejected": ReasonFamily.CONTENT,
}
_DELAY_FAMILIES = {
    "MailboxFull": ReasonFamily.MAILBOX_FULL,
    "SpamDetected": ReasonFamily.SPAM,
    "IPFailure": ReasonFamily.REPUTATION,
    "SendingDeferral": ReasonFamily.REPUTATION,
    "TransientCommunicationFailure": ReasonFamily.NETWORK,
    "RecipientServerError": ReasonFamily.NETWORK,
    "BYOIPHostNameLookupUnavailable": ReasonFamily.NETWORK,
}


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one recipient, before the fields of the mail are added."""

    type: EventType
    recipient: str
    at: str | None = None
    code: int = 0
    enhanced_code: str = ""
    reply: str = ""
    family: ReasonFamily = ReasonFamily.NONE
    hard: bool = False
    mx_ip: str = ""
    host: str = ""
    delay: int = 0


class Counted(msgspec.Struct, frozen=True):
    """What a notification counts for against its domain."""

    bounces: int = 0
    complaints: int = 0


def sending_domains(record: Record) -> list[str]:
    """The domains that may answer for the mail, the likeliest first: of its sender, then of the verified identity."""
    mail = record.mail or Mail()
    identity = (mail.source_arn or "").rpartition(":identity/")[2]
    found = [domain_of(_address(mail.source)), domain_of(identity) or identity]
    return [domain.lower().rstrip(".") for domain in found if domain]


def feedback_of(record: Record, every_bounce: bool) -> Counted:
    """One for a notification, however many recipients it names. `every_bounce`: not only permanent ones."""
    if record.type == "Bounce" and record.bounce is not None:
        counts = every_bounce or record.bounce.bounce_type == _PERMANENT
        return Counted(bounces=int(counts and record.bounce.bounce_sub_type != _UNSENT))
    if record.type == "Complaint" and record.complaint is not None:
        complaint = record.complaint
        real = complaint.complaint_feedback_type != _NOT_SPAM and complaint.complaint_sub_type != _UNSENT
        return Counted(complaints=int(real))
    return Counted()


def sent_at(record: Record) -> int | None:
    """When SES took the mail; None when it does not say."""
    try:
        return milliseconds((record.mail or Mail()).timestamp or "")
    except ValueError:
        return None


def mail_events(record: Record, envelope: Envelope, relay: int, reasons: Reasons) -> list[MailEvent]:
    """The events of the mail, one for each recipient concerned.

    Empty when SES tells of something that is no event of a mail, or not of which mail.
    """
    mail = record.mail or Mail()
    accepted_at = sent_at(record)
    if accepted_at is None or not mail.message_id:
        return []
    known = _known(mail) | {
        "relay": relay,
        "accepted_at": accepted_at,
        "number": mail_number(mail.message_id),
        "source": SOURCE,
        "line": 1,
        "raw": "1\t" + _plain(envelope.message)[:_LONGEST_RAW],
    }
    places = {_recipient(address): place for place, address in reversed(list(enumerate(mail.destination or (), 1)))}
    tell = _TELLERS.get(record.type)
    happenings = list(tell(record, reasons) if tell is not None else ())[:_MOST_RECIPIENTS]
    return [_event(each, known, places, envelope) for each in happenings if each.recipient]


def _event(happening: Happening, known: dict[str, Any], places: dict[str, int], envelope: Envelope) -> MailEvent:
    try:
        at = milliseconds(happening.at or "")
    except ValueError:
        at = known["accepted_at"] if happening.type is EventType.ACCEPTED else envelope.sent_at
    return MailEvent(
        **known,
        type=happening.type,
        at=at,
        recipient=happening.recipient,
        recipient_number=places.get(happening.recipient, 0),
        code=happening.code,
        enhanced_code=happening.enhanced_code,
        reply=happening.reply,
        family=happening.family,
        hard=happening.hard,
        mx_ip=happening.mx_ip,
        host=happening.host,
        delay=happening.delay,
    )


def _known(mail: Mail) -> dict[str, Any]:
    """What SES tells of the mail itself; headers only when the identity is set up to send them."""
    common = mail.common_headers or CommonHeaders()
    headers = {(each.name or "").lower(): each.value or "" for each in mail.headers or ()}
    text = headers.get("message-id") or common.message_id or ""
    bare = text.strip()
    texts = {
        "sender": canonical_address(_address(mail.source)),
        "subject": common.subject or headers.get("subject", ""),
        "message_id": bare if not bare or bare.startswith("<") else f"<{bare}>",
        "header_from": _first_address(common.from_, headers.get("from", "")),
        "reply_to": _first_address(common.reply_to, headers.get("reply-to", "")),
        "in_reply_to": headers.get("in-reply-to", ""),
        "references": headers.get("references", ""),
        "login": mail.caller_identity or "",
        "queue_id": mail.message_id or "",
    }
    cut = {name: _plain(text)[: _LONGEST.get(name, _LONGEST_OTHER)] for name, text in texts.items()}
    return cut | {"origin": _ip(mail.source_ip), "recipients": len(mail.destination or ())}


def _sent(record: Record, _: Reasons) -> Iterable[Happening]:
    for address in _destination(record):
        yield Happening(type=EventType.ACCEPTED, recipient=address, at=record.mail.timestamp if record.mail else None)


def _delivered(record: Record, _: Reasons) -> Iterable[Happening]:
    report = record.delivery
    if report is None:
        return
    code, enhanced, reply = _answer(report.smtp_response or "", "")
    for address in _named(report.recipients) or _destination(record):
        yield Happening(
            type=EventType.DELIVERED,
            recipient=address,
            at=report.timestamp,
            code=code,
            enhanced_code=enhanced,
            reply=reply,
            mx_ip=_ip(report.remote_mta_ip),
            host=_host(report.reporting_mta),
            delay=max(report.processing_time_millis or 0, 0),
        )


def _bounced(record: Record, reasons: Reasons) -> Iterable[Happening]:
    bounce = record.bounce
    if bounce is None:
        return
    for recipient in _recipients(bounce.bounced_recipients, record):
        code, enhanced, reply = _answer(recipient.diagnostic_code or "", recipient.status or "")
        family = _BOUNCE_FAMILIES.get(bounce.bounce_sub_type or "") or reasons.sort(reply, code, enhanced)[0]
        yield Happening(
            type=EventType.BOUNCED,
            recipient=_recipient(recipient.email_address),
            at=bounce.timestamp,
            code=code,
            enhanced_code=enhanced,
            reply=reply or _plain(f"{bounce.bounce_type or ''} {bounce.bounce_sub_type or ''}".strip()),
            family=family,
            hard=bounce.bounce_type == _PERMANENT,
            mx_ip=_ip(bounce.remote_mta_ip),
            host=_host(bounce.reporting_mta),
        )


def _delayed(record: Record, reasons: Reasons) -> Iterable[Happening]:
    delay = record.delivery_delay
    if delay is None:
        return
    for recipient in _recipients(delay.delayed_recipients, record):
        code, enhanced, reply = _answer(recipient.diagnostic_code or "", recipient.status or "")
        yield Happening(
            type=EventType.DEFERRED,
            recipient=_recipient(recipient.email_address),
            at=delay.timestamp,
            code=code,
            enhanced_code=enhanced,
            reply=reply or _plain(delay.delay_type or ""),
            family=_DELAY_FAMILIES.get(delay.delay_type or "") or reasons.sort(reply, code, enhanced)[0],
            host=_host(delay.reporting_mta),
        )


def _complained(record: Record, _: Reasons) -> Iterable[Happening]:
    complaint = record.complaint
    if complaint is None or complaint.complaint_feedback_type == _NOT_SPAM:
        return
    # Nobody complained of a mail that SES took and did not send; what became of it is said all the same.
    unsent = complaint.complaint_sub_type == _UNSENT
    for recipient in _recipients(complaint.complained_recipients, record):
        yield Happening(
            type=EventType.DISCARDED if unsent else EventType.COMPLAINED,
            recipient=_recipient(recipient.email_address),
            at=complaint.timestamp,
            family=ReasonFamily.POLICY if unsent else ReasonFamily.NONE,
            hard=unsent,
            reply=_plain((not unsent and complaint.complaint_feedback_type) or complaint.complaint_sub_type or ""),
        )


def _dropped(record: Record, _: Reasons) -> Iterable[Happening]:
    refusal = record.reject or record.failure
    if refusal is None:
        return
    for address in _destination(record):
        yield Happening(
            type=EventType.DISCARDED,
            recipient=address,
            reply=_plain(refusal.reason or refusal.error_message or "")[: _LONGEST["reply"]],
            family=ReasonFamily.CONTENT,
            hard=True,
        )


def _reacted(record: Record, _: Reasons) -> Iterable[Happening]:
    reaction, kind = {
        "Open": (record.open, EventType.OPENED),
        "Click": (record.click, EventType.CLICKED),
    }.get(record.type, (None, EventType.OPENED))
    if reaction is None:
        return
    # ours: SES does not tell which of several recipients it was; one reaction stays one.
    for address in _destination(record)[:1]:
        yield Happening(type=kind, recipient=address, at=reaction.timestamp, reply=_plain(reaction.link or "")[:8192])


def _left(record: Record, _: Reasons) -> Iterable[Happening]:
    if record.subscription is not None:
        for address in _destination(record)[:1]:
            yield Happening(type=EventType.UNSUBSCRIBED, recipient=address, at=record.subscription.timestamp)


_TELLERS = {
    "Send": _sent,
    "Delivery": _delivered,
    "Bounce": _bounced,
    "DeliveryDelay": _delayed,
    "Complaint": _complained,
    "Reject": _dropped,
    "RenderingFailure": _dropped,
    "Open": _reacted,
    "Click": _reacted,
    "Subscription": _left,
}


def _recipients(named: Sequence[Recipient] | None, record: Record) -> Iterable[Recipient]:
    return named or [Recipient(email_address=address) for address in _destination(record)]


def _destination(record: Record) -> list[str]:
    return _named(record.mail.destination if record.mail else None)


def _named(addresses: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(found for each in addresses or () if (found := _recipient(each))))


def _recipient(text: str | None) -> str:
    return canonical_address(_address(text))


def _address(text: str | None) -> str:
    """The bare address; SES writes some of them with a name."""
    plain = _plain(text or "").strip()
    found = parseaddr(plain)[1] if "<" in plain or " " in plain else plain
    return found[:_LONGEST_OTHER]


def _first_address(listed: Sequence[str] | None, header: str) -> str:
    return canonical_address(_address(listed[0] if listed else header))


def _answer(text: str, status: str) -> tuple[int, str, str]:
    """`(code, enhanced code, reply)` of what the other server said, as it stands in a delivery report."""
    match = _SMTP.fullmatch(_plain(text).strip())
    if match is None:
        return 0, status if _ENHANCED.fullmatch(status) else "", ""
    enhanced = match["enhanced"] or (status if _ENHANCED.fullmatch(status) else "")
    return int(match["code"] or 0), enhanced, match["reply"][: _LONGEST["reply"]]


def _host(text: str | None) -> str:
    return _plain((text or "").rpartition(";")[2]).strip()[:_LONGEST_OTHER]


def _ip(text: str | None) -> str:
    try:
        return str(ip_address((text or "").strip()))
    except ValueError:
        return ""


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)
