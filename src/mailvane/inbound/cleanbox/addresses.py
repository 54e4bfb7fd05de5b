"""The addresses of a workspace over HTTP: mailboxes, aliases, relay addresses. Blocking."""

from __future__ import annotations

import secrets
import string

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput, NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.mailbox import canonical_address
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
_LONGEST_LABEL = 200


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
    name = canonical_address(f"{given.local_part or _made_up()}@{given.domain}")
    domain = services.stores.domains.named(name.rpartition("@")[2])
    if domain is None or domain.workspace != asked.workspace:
        raise InvalidFields(("domain", "mail for this domain is not taken"))
    _check_room(services, asked.workspace, AddressType(given.type))
    made = Address(
        id=ordered_uuid(asked.now), workspace=asked.workspace, type=AddressType(given.type), address=name,
        mailbox=given.mailbox, label=_label(given.label), created_at=asked.now,
    )  # fmt: skip
    try:
        services.stores.addresses.add(made)
    except InvalidInput as error:
        raise InvalidFields(("mailbox", error.message)) from None
    _note(services, asked, made, "created")
    return shape.address(made)


def change(services: InboundServices, asked: Asked) -> shape.AddressObject:
    """Raises NotFound, InvalidFields."""
    given = read_json(AddressChange, asked.body)
    found = _one(services, asked)
    named = {
        "label": given.label if given.label is msgspec.UNSET else _label(given.label),
        "active": given.active,
        "mailbox": given.mailbox,
        "quarantine_at": _threshold("quarantine_threshold", given.quarantine_threshold),
        "reject_at": _threshold("reject_threshold", given.reject_threshold),
        "weekly_limit": _count(given.weekly_limit),
    }
    changed = msgspec.structs.replace(
        found, **{name: value for name, value in named.items() if value is not msgspec.UNSET}
    )
    try:
        services.stores.addresses.save(changed)
    except InvalidInput as error:
        raise InvalidFields(("mailbox", error.message)) from None
    _note(services, asked, changed, "changed")
    return shape.address(changed)


def remove(services: InboundServices, asked: Asked) -> None:
    """Raises NotFound; InvalidInput for a mailbox that has aliases."""
    gone = services.stores.addresses.remove(asked.workspace, _one(services, asked).id)
    _note(services, asked, gone, "removed")


def _one(services: InboundServices, asked: Asked) -> Address:
    found = services.stores.addresses.address(asked.workspace, asked.path["uuid"])
    if found is None:
        raise NotFound("There is no such address.")
    return found


def _check_room(services: InboundServices, workspace: int, kind: AddressType) -> None:
    team = services.stores.teams.team(workspace)
    limits = {AddressType.ALIAS: team.aliases_limit, AddressType.MAILBOX: team.mailboxes_limit}
    limit = limits.get(kind, 0)
    if limit and services.stores.addresses.count(workspace, kind) >= limit:
        raise InvalidFields(("type", f"the team has all {limit} that it may have"))


def _made_up() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def _label(text: str) -> str:
    if len(text) > _LONGEST_LABEL or "\0" in text:
        raise InvalidFields(("label", f"at most {_LONGEST_LABEL} characters"))
    return text


def _threshold(name: str, value: float | msgspec.UnsetType | None) -> float | msgspec.UnsetType | None:
    if isinstance(value, float) and not -1000 <= value <= 1000:
        raise InvalidFields((name, "expected a score from -1000 to 1000"))
    return value


def _count(value: int | msgspec.UnsetType) -> int | msgspec.UnsetType:
    if isinstance(value, int) and not 0 <= value < 2**31:
        raise InvalidFields(("weekly_limit", "expected a number of messages, 0 for no limit"))
    return value


def _note(services: InboundServices, asked: Asked, address: Address, what: str) -> None:
    entry = AuditEntry(at=asked.now, actor=asked.by, action="address", subject=address.id, detail=what)
    services.stores.audit.note(asked.workspace, entry)
