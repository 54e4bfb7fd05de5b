"""One line of the native intake: a mail event as another mail server tells it, checked and made ours.

Every event names its mail, either by Mailvane's own id or by the server's message id and the time of acceptance, and
its recipient: a mail accepted for three recipients is told as three `accepted` lines. Unknown fields are refused by
name, so that a misspelt one does not vanish. What an event leaves out, or tells as null, is "not known". Line breaks of
folded headers and replies become spaces; any other control character is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address
from mailvane.maillog.model import EventType, MailEvent, MailKind, ReasonFamily, mail_number, parse_mail_id
from mailvane.maillog.reasons import Reasons

_EARLIEST = 0  # 1970
_LATEST = 7_289_654_400_000  # 2201
_SECONDS_BELOW = 100_000_000_000  # a smaller number of a time is in seconds: the year 5138, or March 1973 in ms
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LINE_BREAKS = re.compile(r"[\t\r\n]+ *")
_HEX_ID = re.compile(r"[0-9a-fA-F]{18}")
_REPLY_CODES = re.compile(r"([245]\d\d)\b(?:[ -]([245]\.\d{1,3}\.\d{1,3})\b)?")
_FAILED = frozenset({EventType.DEFERRED, EventType.BOUNCED, EventType.EXPIRED, EventType.REJECTED})

Name = Annotated[str, msgspec.Meta(max_length=255)] | None
Address = Annotated[str, msgspec.Meta(max_length=512)] | None
HeaderText = Annotated[str, msgspec.Meta(max_length=4096)] | None
Time = str | int | float
NativeType = Literal[
    "accepted", "delivered", "deferred", "bounced", "expired", "held", "discarded", "rejected",
    "complained", "opened", "clicked", "replied", "unsubscribed", "tagged",
]  # fmt: skip


class NativeEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The line as it is written. Times are RFC 3339 text with a zone, or a number of seconds or milliseconds."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]  # of the event: told twice, counted once
    type: NativeType
    time: Time
    recipient: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    relay: Annotated[int, msgspec.Meta(ge=1)] | None = None  # may be left out when the workspace has one
    mail_id: str | None = None
    mail: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    accepted_at: Time | None = None  # an `accepted` event may leave it out: it is its `time`
    kind: MailKind | None = None
    original_recipient: Address = None
    recipient_number: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    sender: Address = None
    subject: HeaderText = None
    message_id: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    header_from: Address = None
    reply_to: Address = None
    in_reply_to: HeaderText = None
    references: Annotated[str, msgspec.Meta(max_length=16384)] | None = None
    origin: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    client_name: Name = None
    login: Name = None
    protocol: Name = None
    interface: Name = None
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    queue_id: Name = None
    host: Name = None
    transport: Name = None
    mx_host: Name = None
    mx_ip: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    code: Annotated[int, msgspec.Meta(ge=0, le=999)] | None = None
    enhanced_code: Annotated[str, msgspec.Meta(pattern=r"^([245]\.\d{1,3}\.\d{1,3})?$")] | None = None
    reply: Annotated[str, msgspec.Meta(max_length=8192)] | None = None
    tls: Name = None
    delay: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None  # seconds since acceptance
    family: ReasonFamily | None = None
    hard: bool | None = None
    campaign: Name = None
    sequence: Name = None  # of the campaign; left out: the main one
    step: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None
    automatic: bool | None = None  # of what was opened, clicked, replied or tagged: by a machine
    positive: bool | None = None  # of a tag


_AS_IT_IS = (
    "kind", "recipient_number", "subject", "message_id", "in_reply_to", "references", "client_name", "login",
    "protocol", "interface", "size", "queue_id", "host", "transport", "mx_host", "code", "enhanced_code", "reply",
    "tls", "campaign", "sequence", "step", "automatic", "positive",
)  # fmt: skip
_ADDRESSES = ("recipient", "original_recipient", "sender", "header_from", "reply_to")
_FOLDED = ("subject", "message_id", "in_reply_to", "references", "reply")  # these may be written over several lines


def mail_event(native: NativeEvent, relay: int, source: str, line: int, reasons: Reasons) -> MailEvent:
    """The event as the mail log keeps it.

    Raises InvalidInput.
    """
    at = milliseconds(native.time, "time")
    accepted_at, number = _identity(native, at)
    kind = EventType(native.type)
    rest: dict[str, Any] = {name: value for name in _AS_IT_IS if (value := getattr(native, name)) is not None}
    rest |= {
        name: text if text.isprintable() else _LINE_BREAKS.sub(" ", text)
        for name in _FOLDED
        if (text := rest.get(name))
    }
    rest |= {name: canonical_address(text) for name in _ADDRESSES if (text := getattr(native, name))}
    for name, text in (("id", native.id), ("mail", native.mail), *rest.items()):
        if isinstance(text, str) and not text.isprintable() and _CONTROL.search(text):
            raise InvalidInput(f"`{name}` holds a control character")
    family, hard = _reason(native, kind, rest.get("reply", ""), reasons)
    return MailEvent(
        relay=relay,
        accepted_at=accepted_at,
        number=number,
        type=kind,
        at=at,
        origin=_ip(native.origin, "origin"),
        mx_ip=_ip(native.mx_ip, "mx_ip"),
        delay=round((native.delay or 0) * 1000),
        family=family,
        hard=hard,
        source=source,
        line=line,
        **rest,
    )


def milliseconds(time: Time, name: str) -> int:
    """The time in milliseconds.

    Raises InvalidInput unless it is a time between 1970 and 2200.
    """
    if isinstance(time, str):
        try:
            moment: datetime = msgspec.convert(time, Annotated[datetime, msgspec.Meta(tz=True)])
            found = round(moment.timestamp() * 1000)
        except (msgspec.ValidationError, ValueError, OverflowError):
            raise InvalidInput(f"`{name}` is not an RFC 3339 time with a zone") from None
    elif abs(time) < _SECONDS_BELOW:
        found = round(time * 1000)
    else:
        found = round(time) if isfinite(time) else _LATEST
    if not _EARLIEST <= found < _LATEST:
        raise InvalidInput(f"`{name}` is not between 1970 and 2200")
    return found


def _identity(native: NativeEvent, at: int) -> tuple[int, int]:
    if (native.mail_id is None) == (native.mail is None):
        raise InvalidInput("name the mail by `mail_id`, or by `mail` and `accepted_at`")
    if native.mail_id is not None:
        if native.accepted_at is not None:
            raise InvalidInput("`mail_id` tells the time of acceptance already: leave out `accepted_at`")
        if not _HEX_ID.fullmatch(native.mail_id):
            raise InvalidInput("`mail_id` is not 18 hexadecimal digits")
        accepted_at, number = parse_mail_id(native.mail_id)
        return milliseconds(accepted_at / 1000 if accepted_at < _SECONDS_BELOW else accepted_at, "mail_id"), number
    if native.accepted_at is None and native.type != "accepted":
        raise InvalidInput("`mail` needs `accepted_at`: the same for every event of a mail")
    accepted_at = at if native.accepted_at is None else milliseconds(native.accepted_at, "accepted_at")
    return accepted_at, mail_number(native.mail or "")


def _ip(text: str | None, name: str) -> str:
    if not text:
        return ""
    try:
        return str(ip_address(text))
    except ValueError:
        raise InvalidInput(f"`{name}` is not an IP address") from None


def _reason(native: NativeEvent, kind: EventType, reply: str, reasons: Reasons) -> tuple[ReasonFamily, bool]:
    """As given; what was not given follows from the reply and its codes."""
    family, hard = ReasonFamily.NONE, False
    if kind in _FAILED and (native.family is None or native.hard is None):
        # Many servers tell the reply as they got it, with the codes in front, and nothing else.
        code, enhanced = found.groups("") if (found := _REPLY_CODES.match(reply)) else ("", "")
        family, hard = reasons.sort(reply, native.code or int(code or 0), native.enhanced_code or enhanced)
    return (family if native.family is None else native.family), (hard if native.hard is None else native.hard)
