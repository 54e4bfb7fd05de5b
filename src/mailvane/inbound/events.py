"""Messages as mail events: what the mail log is told of each step. Pure.

Inbound mail has the relay 0, which no workspace gives to anybody, so that it stands in no list, bill or statistic of
mail that goes out. What its statuses are among the mail log's own kinds of events:

| status | event | told beside it |
|---|---|---|
| pending | accepted; deferred after a try | |
| delivered | delivered | what the next hop answered |
| quarantined | held | family spam, reply `quarantined: …` |
| snoozed | held | reply `snoozed: …` |
| denied | discarded | family policy, reply `denied: …` |
| rejected | rejected | family spam, reply `550 …` |
| failed | expired | family and reply of the last try |
| bounced | bounced | likewise |
"""

from __future__ import annotations

from typing import Any

import msgspec

from mailvane.core.tenants.model import INBOUND_RELAY
from mailvane.inbound.headers import Headers
from mailvane.inbound.model import Message, MessageStatus
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily

_LONGEST_REPLY = 1000


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a next hop said of one message."""

    code: int = 0
    enhanced: str = ""
    reply: str = ""
    tls: str = ""
    family: ReasonFamily = ReasonFamily.NONE
    hard: bool = False
    host: str = ""
    ip: str = ""


def accepted(message: Message, host: str, headers: Headers) -> MailEvent:
    """It was taken in. Its thread is told here alone: a reply is one, whatever becomes of it."""
    return _event(
        message, EventType.ACCEPTED, message.received_at, host=host, in_reply_to=headers.ids("in-reply-to"),
        references=headers.ids("references"), automatic=headers.is_automatic,
    )  # fmt: skip


def decided(message: Message, at: int) -> MailEvent | None:
    """What was decided about it; None where it simply goes on."""
    if message.status is MessageStatus.QUARANTINED:
        return _event(message, EventType.HELD, at, family=ReasonFamily.SPAM, reply=f"quarantined: {message.reason}")
    if message.status is MessageStatus.SNOOZED:
        return _event(message, EventType.HELD, at, reply=f"snoozed: {message.reason}")
    if message.status is MessageStatus.DENIED:
        reply = f"denied: {message.reason}"
        return _event(message, EventType.DISCARDED, at, family=ReasonFamily.POLICY, hard=True, reply=reply)
    if message.status is MessageStatus.REJECTED:
        return _event(
            message, EventType.REJECTED, at, family=ReasonFamily.SPAM, hard=True, reply=message.reply,
            code=550, enhanced_code="5.7.1",
        )  # fmt: skip
    return None


def tried(message: Message, at: int, answered: Answered) -> MailEvent:
    """What came of a try; the message is as it is afterwards."""
    kind = {
        MessageStatus.DELIVERED: EventType.DELIVERED,
        MessageStatus.FAILED: EventType.EXPIRED,
        MessageStatus.BOUNCED: EventType.BOUNCED,
    }.get(message.status, EventType.DEFERRED)
    return _event(
        message, kind, at, transport=message.hop.partition(":")[0], mx_host=answered.host, mx_ip=answered.ip,
        code=answered.code, enhanced_code=answered.enhanced, reply=answered.reply, tls=answered.tls,
        family=answered.family, hard=answered.hard, delay=max(0, at - message.received_at),
    )  # fmt: skip


def _event(message: Message, kind: EventType, at: int, **told: Any) -> MailEvent:
    reply = str(told.pop("reply", ""))[:_LONGEST_REPLY]
    return MailEvent(
        relay=INBOUND_RELAY, accepted_at=message.received_at, number=message.number, type=kind, at=at,
        recipient=message.target, original_recipient=message.recipient if message.recipient != message.target else "",
        recipient_number=message.recipient_number, sender=message.sender, subject=message.subject,
        message_id=message.message_id, header_from=message.from_address, origin=message.client,
        client_name=message.client_name, protocol=message.protocol, interface="gateway", size=message.size,
        queue_id=message.id, reply=reply, source="gateway", **told,
    )  # fmt: skip
