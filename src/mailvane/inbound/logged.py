"""Rows of the mail log as messages and contacts of a workspace whose mail does not pass the gateway. Pure.

Ids are made of what the mail log knows a row by, so that nothing has to be kept: of a message, a UUID of version 8
(RFC 9562) that holds relay, time, number and place of the recipient; of a contact, one of version 5, of its address.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid5

import msgspec

from mailvane.inbound.model import Contact, Message, MessageStatus
from mailvane.inbound.questions import MessageQuestion
from mailvane.maillog.model import NUMBER_BITS, DeliveryStatus, ReasonFamily, mail_id
from mailvane.maillog.queries import Delivery, Match, Pattern, RefusedMail, SenderCount, Term

CONTACTS = UUID("6d61696c-7661-4e65-8000-73656e646572")  # ours: any that no other program takes
_PLACE_BITS = 18  # of the recipient within the mail
_TIME_BITS = 44
_LOW_BITS = 62  # of a UUID, below its variant
_STATUS = {
    DeliveryStatus.QUEUED: MessageStatus.PENDING,
    DeliveryStatus.HELD: MessageStatus.PENDING,  # in Postfix's hold queue, which nobody decides about from here
    DeliveryStatus.DEFERRED: MessageStatus.PENDING,
    DeliveryStatus.DISCARDED: MessageStatus.DENIED,  # by a rule of the administrator
    DeliveryStatus.EXPIRED: MessageStatus.FAILED,
    DeliveryStatus.BOUNCED: MessageStatus.BOUNCED,  # Postfix tells the sender
    DeliveryStatus.DELIVERED: MessageStatus.DELIVERED,
}


def status(name: str) -> MessageStatus:
    return _STATUS[DeliveryStatus(name)]


def statuses(wanted: tuple[MessageStatus, ...] | None) -> tuple[DeliveryStatus, ...] | None:
    """Those of the mail log that mean one of these; none, where nothing does."""
    return None if wanted is None else tuple(one for one, meant in _STATUS.items() if meant in wanted)


def terms(question: MessageQuestion, found: tuple[DeliveryStatus, ...] | None, author: str | None) -> tuple[Term, ...]:
    """A question about messages, as far as it is one about deliveries."""
    return tuple(_terms(question, found, author))


def _terms(question: MessageQuestion, found: tuple[DeliveryStatus, ...] | None, author: str | None) -> Iterator[Term]:
    if found is not None:
        yield Term("is", tuple(Pattern(one.value, Match.WHOLE) for one in found))
    if author is not None:
        yield Term("author", (Pattern(author, Match.WHOLE),))
    if question.sender is not None:
        yield Term("author", (Pattern(question.sender.lower(), Match.WHOLE),))
    if question.recipient is not None:
        yield Term("to", (Pattern(question.recipient, Match.WHOLE),))
    if question.text:
        yield Term("text", (Pattern(question.text, Match.PART),))


def message(row: Delivery, workspace: int) -> Message:
    known = _STATUS[row.status]
    return Message(
        id=_message_id(row.relay, row.accepted_at, row.number, row.recipient_number), workspace=workspace,
        number=row.number, received_at=row.accepted_at, status=known, address=None,
        recipient=row.original_recipient or row.recipient, recipient_number=row.recipient_number, target=row.recipient,
        contact=_contact_id(row.header_from or row.sender), sender=row.sender, from_address=row.header_from,
        from_name="", subject=row.subject, message_id=row.message_id, client=row.origin, client_name=row.client_name,
        protocol=row.protocol, size=row.size, reason=_reason(row), hop=row.mx_host, attempts=row.attempts,
        reply=row.reply, delivered_at=row.at if known is MessageStatus.DELIVERED else 0,
        changed_at=row.at or row.accepted_at,
    )  # fmt: skip


def refused(row: RefusedMail, workspace: int) -> Message:
    return Message(
        id=_message_id(row.relay, row.accepted_at, row.number, 0), workspace=workspace, number=row.number,
        received_at=row.accepted_at, status=MessageStatus.REJECTED, address=None, recipient=row.recipient,
        recipient_number=0, target=row.recipient, contact=_contact_id(row.sender), sender=row.sender, from_address="",
        from_name="", subject=row.subject, message_id=row.message_id, client=row.origin, client_name=row.client_name,
        protocol=row.protocol, size=0, reason=_family(row.family), reply=row.reply, changed_at=row.at,
    )  # fmt: skip


def contact(row: SenderCount, workspace: int, known: Contact | None) -> Contact:
    """What is decided about a sender is the ledger's, all else the log's."""
    kept = known or Contact(id=_contact_id(row.address), workspace=workspace, email=row.address)
    return msgspec.structs.replace(kept, email_count=row.mails, first_seen_at=row.first_at, last_seen_at=row.last_at)


def author(one: Message) -> str:
    """As `contact` knows the sender of a message."""
    return (one.from_address or one.sender).lower()


def key_of(message_id: str) -> tuple[int, str, int] | None:
    """Relay, id of the mail, and place of the recipient, of an id that was made here."""
    found = _uuid(message_id, version=8)
    if found is None:
        return None
    high, middle = found.int >> 80, found.int >> 64 & 0xFFF
    packed = (high << 12 | middle) << _LOW_BITS | found.int & (1 << _LOW_BITS) - 1
    place = packed & (1 << _PLACE_BITS) - 1
    number = packed >> _PLACE_BITS & (1 << NUMBER_BITS) - 1
    at = packed >> _PLACE_BITS + NUMBER_BITS & (1 << _TIME_BITS) - 1
    return packed >> _PLACE_BITS + NUMBER_BITS + _TIME_BITS, mail_id(at, number), place


def is_contact_id(contact_id: str) -> bool:
    return _uuid(contact_id, version=5) is not None


def _message_id(relay: int, at: int, number: int, place: int) -> str:
    packed = ((relay << _TIME_BITS | at) << NUMBER_BITS | number) << _PLACE_BITS | place & (1 << _PLACE_BITS) - 1
    high, low = packed >> _LOW_BITS, packed & (1 << _LOW_BITS) - 1
    return str(UUID(int=high >> 12 << 80 | 8 << 76 | (high & 0xFFF) << 64 | 2 << 62 | low))


def _contact_id(address: str) -> str:
    return str(uuid5(CONTACTS, address.lower()))


def _uuid(text: str, version: int) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if found.version == version else None


def _reason(row: Delivery) -> str:
    if row.status is DeliveryStatus.HELD:
        return "in the hold queue of the mail server"
    return _family(row.family)


def _family(family: ReasonFamily) -> str:
    return family.value.replace("_", " ")
