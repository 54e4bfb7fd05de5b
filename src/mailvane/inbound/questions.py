"""Questions about what the ledger holds of inbound mail, and their answers. Every question names one workspace."""

from __future__ import annotations

from typing import Literal

import msgspec

from mailvane.inbound.model import Address, AddressType, AuditEntry, Contact, ContactState, Message, MessageStatus


class MessageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages; None does not filter, and all filters are joined by AND. Newest first unless told otherwise."""

    workspace: int
    statuses: tuple[MessageStatus, ...] | None = None
    address: str | None = None  # id
    contact: str | None = None  # id
    sender: str | None = None  # in the envelope or in From, the whole address
    recipient: str | None = None
    text: str | None = None  # part of subject, From or recipient, any case
    since: int | None = None
    until: int | None = None  # exclusive
    contact_state: ContactState | None = None
    order: Literal["received_at", "score"] = "received_at"
    ascending: bool = False


class MessagePage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    total: int
    messages: list[Message]


class ContactQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which contacts."""

    workspace: int
    state: ContactState | None = None
    text: str | None = None  # part of address or name, any case
    order: Literal["email_count", "email", "name", "first_seen_at", "last_seen_at"] = "last_seen_at"
    ascending: bool = False


class ContactPage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    total: int
    contacts: list[Contact]


class AddressQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which addresses, the newest first."""

    workspace: int
    type: AddressType | None = None
    mailbox: str | None = None  # id: aliases of it


class AddressPage(msgspec.Struct, frozen=True):
    """A part of them, and how many there are in all."""

    total: int
    addresses: list[Address]


class AuditPage(msgspec.Struct, frozen=True):
    """A part of the entries, the newest first, and how many there are in all."""

    total: int
    entries: list[AuditEntry]
