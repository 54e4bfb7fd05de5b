"""Senders over HTTP. Blocking."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.inbound.cleanbox import shape
from mailvane.inbound.cleanbox.parameters import CONTACT_ORDERS, USUAL_ROWS, ContactChange, part, several
from mailvane.inbound.model import AuditEntry, Contact, ContactState
from mailvane.inbound.questions import ContactQuestion, MessageQuestion
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

STATES = tuple(state.value for state in ContactState)
_AT_ONCE = 1000
_Order = Literal["email_count", "email", "name", "first_seen_at", "last_seen_at"]


def listed(services: InboundServices, asked: Asked) -> shape.Listing:
    wanted = part(asked.query, USUAL_ROWS, CONTACT_ORDERS)
    states = several(asked.query, "state", STATES)
    if len(states) > 1:
        raise InvalidFields(("state", "expected one state"))
    question = ContactQuestion(
        workspace=asked.workspace,
        state=ContactState(states[0]) if states else None,
        text=asked.query.get("q") or None,
        order=cast("_Order", CONTACT_ORDERS[wanted.sort]),
        ascending=not wanted.descending,
    )
    found = services.received.contacts(question, wanted.offset, wanted.per_page)
    return shape.page([shape.contact(one) for one in found.contacts], wanted.page, wanted.per_page, found.total)


def change(services: InboundServices, asked: Asked) -> shape.ContactObject:
    """By id or by address. Raises NotFound."""
    given = read_json(ContactChange, asked.body)
    if given.state not in STATES:
        raise InvalidFields(("state", f"expected one of {', '.join(STATES)}"))
    state = ContactState(given.state)
    named = asked.path["uuid"]
    entry = AuditEntry(at=asked.now, actor=asked.by, action="contact", subject=named, detail=state.value)

    def changed(contact: Contact) -> Contact:
        return msgspec.structs.replace(contact, state=state)

    contact = services.received.decide(asked.workspace, named, changed, entry)
    if given.delete_messages:
        _forget(services, asked, contact)
    return shape.contact(contact)


def _forget(services: InboundServices, asked: Asked, contact: Contact) -> None:
    """Its messages, but for what is on its way just now."""
    question = MessageQuestion(workspace=asked.workspace, contact=contact.id)
    kept = 0
    while found := services.stores.pages.page(question, kept, _AT_ONCE).messages:
        gone = services.quarantine.remove(asked.workspace, [one.id for one in found], asked.by, asked.now)
        kept += len(found) - len(gone)
