"""Decides about senders, those who have not written yet too. Blocking."""

from __future__ import annotations

import msgspec

from mailvane.core.mailbox import read_mailbox
from mailvane.inbound.model import AuditEntry, Contact, ContactState
from mailvane.inbound.store.contacts import Seen
from mailvane.inbound.stores import InboundStores


def decide(
    stores: InboundStores, workspace: int, email: str, terms: dict[str, str | ContactState], entry: AuditEntry
) -> Contact:
    """Set state, name or category of the sender with this address. Raises InvalidInput."""
    address = read_mailbox(email).address.lower()
    if stores.contacts.contact(workspace, address) is None:
        stores.contacts.meet(workspace, {address: Seen(0, entry.at, "")})
    told = msgspec.structs.replace(
        entry, action="contact", subject=address, detail=", ".join(f"{name}: {value}" for name, value in terms.items())
    )
    return stores.contacts.change(workspace, address, lambda before: msgspec.structs.replace(before, **terms), told)
