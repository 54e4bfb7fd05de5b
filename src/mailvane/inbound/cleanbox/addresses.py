"""The addresses of a workspace over HTTP: mailboxes, aliases, relay addresses. Blocking."""

from __future__ import annotations

import secrets
import string

from mailvane.core.errors import InvalidFields, NotFound
from mailvane.inbound.addresses import Addresses, Terms
from mailvane.inbound.cleanbox import shape
from mailvane.inbound.cleanbox.parameters import (
    ADDRESS_ORDERS,
    USUAL_ROWS,
    AddressChange,
    AddressCreation,
    part,
    several,
)
from mailvane.inbound.model import Address, AddressType, AuditEntry
from mailvane.inbound.questions import AddressQuestion
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

TYPES = tuple(kind.value for kind in AddressType)
_LETTERS = string.ascii_lowercase + string.digits


def listed(services: InboundServices, asked: Asked) -> shape.Listing:
    wanted = part(asked.query, USUAL_ROWS, ADDRESS_ORDERS)
    types = several(asked.query, "type", TYPES)
    if len(types) > 1:
        raise InvalidFields(("type", "expected one type"))
    question = AddressQuestion(workspace=asked.workspace, type=AddressType(types[0]) if types else None)
    found = services.stores.addresses.page(question, wanted.offset, wanted.per_page)
    return shape.page([shape.address(one) for one in found.addresses], wanted.page, wanted.per_page, found.total)


def create(services: InboundServices, asked: Asked) -> shape.AddressObject:
    """Raises AlreadyExists, InvalidFields."""
    given = read_json(AddressCreation, asked.body)
    if given.type not in TYPES:
        raise InvalidFields(("type", f"expected one of {', '.join(TYPES)}"))
    terms = Terms(mailbox=given.mailbox, label=given.label)
    name = f"{given.local_part or _made_up()}@{given.domain}"
    made = Addresses(services.stores).create(asked.workspace, AddressType(given.type), name, terms, _entry(asked))
    return shape.address(made)


def change(services: InboundServices, asked: Asked) -> shape.AddressObject:
    """Raises NotFound, InvalidFields."""
    given = read_json(AddressChange, asked.body)
    terms = Terms(
        mailbox=given.mailbox, label=given.label, active=given.active, weekly_limit=given.weekly_limit,
        quarantine_at=given.quarantine_threshold, reject_at=given.reject_threshold,
    )  # fmt: skip
    changed = Addresses(services.stores).change(_one(services, asked), terms, _entry(asked))
    return shape.address(changed)


def remove(services: InboundServices, asked: Asked) -> None:
    """Raises NotFound; InvalidInput for a mailbox that has aliases."""
    Addresses(services.stores).remove(_one(services, asked), _entry(asked))


def _one(services: InboundServices, asked: Asked) -> Address:
    found = services.stores.addresses.address(asked.workspace, asked.path["uuid"])
    if found is None:
        raise NotFound("There is no such address.")
    return found


def _made_up() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def _entry(asked: Asked) -> AuditEntry:
    return AuditEntry(at=asked.now, actor=asked.by, action="address", subject="")
