"""Inbound mail for tests of interfaces: a domain, a mailbox, an alias, and messages of every status."""

from __future__ import annotations

import msgspec

from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.model import Address, AddressType, InboundDomain, Message, MessageStatus, NextHop
from mailvane.inbound.store.rows import NewMail
from mailvane.inbound.stores import InboundStores
from mailvane.inbound.weeks import week_start

DAY = 86_400_000


def message(workspace: int, at: int, **values: object) -> Message:
    common = {
        "id": ordered_uuid(at), "workspace": workspace, "number": at % 1000, "received_at": at,
        "status": MessageStatus.DELIVERED, "address": None, "recipient": "team@in.example", "recipient_number": 1,
        "target": "team@in.example", "contact": "", "sender": "s@y.example", "from_address": "s@y.example",
        "from_name": "Sue", "subject": "hello", "message_id": "<1@y.example>", "client": "192.0.2.1",
        "client_name": "", "size": 100, "protocol": "ESMTP",
    }  # fmt: skip
    return msgspec.convert({**common, **values}, Message)


def taken_in(stores: InboundStores, workspace: int, now: int, *found: Message) -> None:
    mails = [NewMail(workspace=workspace, messages=(one,), events=(), week=week_start(now)) for one in found]
    stores.messages.take_in(mails, now)


def addresses(stores: InboundStores, workspace: int, name: str, now: int) -> tuple[Address, Address]:
    """The domain `name`, with the mailbox team@ and its alias shop@."""
    hop = NextHop("127.0.0.1", 2525)
    stores.domains.add(InboundDomain(id=ordered_uuid(now), workspace=workspace, name=name, hop=hop, created_at=now))
    mailbox = Address(
        id=ordered_uuid(now), workspace=workspace, type=AddressType.MAILBOX, address=f"team@{name}", created_at=now
    )
    alias = Address(
        id=ordered_uuid(now + 1), workspace=workspace, type=AddressType.ALIAS, address=f"shop@{name}", label="Shop",
        mailbox=mailbox.id, created_at=now + 1,
    )  # fmt: skip
    for one in (mailbox, alias):
        stores.addresses.add(one)
    return mailbox, alias
