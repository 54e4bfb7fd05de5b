"""The messages of a workspace and its quarantine over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.inbound.cleanbox import shape
from mailvane.inbound.cleanbox.parameters import (
    MESSAGE_ORDERS,
    MESSAGE_ROWS,
    QUARANTINE_ROWS,
    Decision,
    part,
    several,
)
from mailvane.inbound.model import AuditEntry, Contact, ContactState, Message, MessageStatus
from mailvane.inbound.quarantine import Decided, Refusal
from mailvane.inbound.questions import MessageQuestion
from mailvane.inbound.received import Source
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

STATUSES = tuple(status.value for status in MessageStatus)
_Order = Literal["received_at", "score"]


def listed(services: InboundServices, asked: Asked) -> shape.Listing:
    wanted = part(asked.query, MESSAGE_ROWS, MESSAGE_ORDERS)
    statuses = tuple(MessageStatus(each) for each in several(asked.query, "status", STATUSES)) or None
    address, contact = asked.query.get("address"), asked.query.get("contact")
    known_address = services.stores.addresses.address(asked.workspace, address) if address else None
    known_contact = services.received.contact(asked.workspace, contact) if contact else None
    if (address and known_address is None) or (contact and known_contact is None):
        return shape.page([], wanted.page, wanted.per_page, 0)
    question = MessageQuestion(
        workspace=asked.workspace,
        statuses=statuses,
        address=known_address.id if known_address else None,
        contact=known_contact.id if known_contact else None,
        sender=asked.query.get("from") or None,
        recipient=asked.query.get("to") or None,
        text=asked.query.get("q") or None,
        order=cast("_Order", MESSAGE_ORDERS[wanted.sort]),
        ascending=not wanted.descending,
    )
    found = services.received.messages(question, wanted.offset, wanted.per_page)
    contacts = _contacts(services, asked.workspace, found.messages)
    rows = [shape.message(one, contacts.get(one.contact)) for one in found.messages]
    return shape.page(rows, wanted.page, wanted.per_page, found.total)


def held(services: InboundServices, asked: Asked) -> shape.HeldListing:
    """The quarantine, newest first."""
    wanted = part(asked.query, QUARANTINE_ROWS, MESSAGE_ORDERS)
    question = MessageQuestion(
        workspace=asked.workspace,
        statuses=(MessageStatus.QUARANTINED,),
        order=cast("_Order", MESSAGE_ORDERS[wanted.sort]),
        ascending=not wanted.descending,
    )
    found = services.stores.pages.page(question, wanted.offset, wanted.per_page)
    contacts = _contacts(services, asked.workspace, found.messages)
    rows = [shape.quarantined(one, contacts.get(one.contact)) for one in found.messages]
    why = "" if found.total else services.received.source(asked.workspace).why_nothing_is_held
    return shape.held_page(rows, wanted.page, wanted.per_page, found.total, why)


def show(services: InboundServices, asked: Asked) -> shape.MessageObject:
    found = _one(services, asked)
    return shape.message(found, _contacts(services, asked.workspace, [found]).get(found.contact))


def show_held(services: InboundServices, asked: Asked) -> shape.QuarantineObject:
    found = _one(services, asked)
    if found.status is not MessageStatus.QUARANTINED:
        raise NotFound("Message is not in quarantine.")
    return shape.quarantined(found, _contacts(services, asked.workspace, [found]).get(found.contact))


def raw(services: InboundServices, asked: Asked) -> str:
    """The message as it came, while it is kept."""
    found = _one(services, asked)
    content = services.content(found.content) if found.content else None
    if content is None:
        raise NotFound("The content of this message is not kept.")
    return content.decode("utf-8", "surrogateescape")


def accept(services: InboundServices, asked: Asked) -> shape.Accepted:
    ids = read_json(Decision, asked.body).named
    settled, unsettled = _parted(services.quarantine.accept(asked.workspace, ids, asked.by, asked.now))
    return shape.Accepted(len(settled), settled, unsettled)


def reject(services: InboundServices, asked: Asked) -> shape.Rejected:
    given = read_json(Decision, asked.body)
    decided = services.quarantine.reject(asked.workspace, given.named, asked.by, asked.now)
    settled, unsettled = _parted(decided)
    if given.block_contact:
        found = services.stores.messages.by_id(asked.workspace, [one.uuid for one in settled])
        for contact in {one.contact for one in found.values()}:
            entry = AuditEntry(at=asked.now, actor=asked.by, action="contact", subject=contact, detail="blocked")
            services.stores.contacts.change(asked.workspace, contact, _blocked, entry)
    return shape.Rejected(len(settled), settled, unsettled)


def remove_held(services: InboundServices, asked: Asked) -> None:
    """For good."""
    found = _one(services, asked)
    if found.status is not MessageStatus.QUARANTINED:
        raise NotFound("Message is not in quarantine.")
    services.quarantine.remove(asked.workspace, [found.id], asked.by, asked.now)


def redeliver(services: InboundServices, asked: Asked) -> shape.Settled:
    """Raises NotFound; AlreadyExists where it is not one that can be tried again."""
    found = _one(services, asked)
    if services.received.source(asked.workspace) is Source.LOG:
        raise AlreadyExists("This message is known from the log of a mail server: only that can try it again.")
    decided = services.quarantine.redeliver(asked.workspace, [found.id], asked.by, asked.now)[0]
    if decided.refusal is not None and decided.refusal is not Refusal.DELIVERY_FAILED:
        raise AlreadyExists(decided.reason)
    return shape.Settled(found.id, (decided.status or found.status).value)


def _one(services: InboundServices, asked: Asked) -> Message:
    found = services.received.message(asked.workspace, asked.path["uuid"])
    if found is None:
        raise NotFound("There is no such message.")
    return found


def _contacts(services: InboundServices, workspace: int, found: Sequence[Message]) -> dict[str, Contact]:
    return services.received.by_id(workspace, found)


def _blocked(contact: Contact) -> Contact:
    return msgspec.structs.replace(contact, state=ContactState.BLOCKED)


def _parted(decided: Sequence[Decided]) -> tuple[list[shape.Settled], list[shape.Unsettled]]:
    settled = [shape.Settled(each.id, each.status.value) for each in decided if each.refusal is None and each.status]
    failed = [shape.Unsettled(each.id, each.refusal.value, each.reason) for each in decided if each.refusal is not None]
    return settled, failed
