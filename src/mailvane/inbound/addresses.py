"""Makes and changes the addresses of a workspace, by whichever interface somebody asks for it. Blocking."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.mailbox import read_mailbox
from mailvane.inbound.model import Address, AddressType, AuditEntry
from mailvane.inbound.stores import InboundStores

LONGEST_LABEL = 200
_MOST_SCORE = 1000
_MOST_MESSAGES = 2**31


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said of an address; UNSET leaves it as it is."""

    mailbox: str | msgspec.UnsetType | None = msgspec.UNSET
    label: str | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET
    weekly_limit: int | msgspec.UnsetType = msgspec.UNSET
    quarantine_at: float | msgspec.UnsetType | None = msgspec.UNSET
    reject_at: float | msgspec.UnsetType | None = msgspec.UNSET


class Addresses:
    """Of all workspaces."""

    def __init__(self, stores: InboundStores) -> None:
        self._stores = stores

    def create(self, workspace: int, kind: AddressType, name: str, terms: Terms, entry: AuditEntry) -> Address:
        """Of a domain of the workspace. Raises AlreadyExists, InvalidFields."""
        address = canonical(name)
        domain = self._stores.domains.named(address.rpartition("@")[2])
        if domain is None or domain.workspace != workspace:
            raise InvalidFields(("domain", "mail for this domain is not taken"))
        self._check_room(workspace, kind)
        plain = Address(id=ordered_uuid(entry.at), workspace=workspace, type=kind, address=address, created_at=entry.at)
        made = _with(plain, terms)
        try:
            self._stores.addresses.add(made)
        except InvalidInput as error:
            raise InvalidFields(("mailbox", error.message)) from None
        self._note(made, entry, "created")
        return made

    def change(self, address: Address, terms: Terms, entry: AuditEntry) -> Address:
        """Raises NotFound, InvalidFields."""
        changed = _with(address, terms)
        try:
            self._stores.addresses.save(changed)
        except InvalidInput as error:
            raise InvalidFields(("mailbox", error.message)) from None
        self._note(changed, entry, "changed")
        return changed

    def remove(self, address: Address, entry: AuditEntry) -> None:
        """Raises NotFound; InvalidInput for a mailbox that has aliases."""
        self._note(self._stores.addresses.remove(address.workspace, address.id), entry, "removed")

    def _check_room(self, workspace: int, kind: AddressType) -> None:
        team = self._stores.teams.team(workspace)
        limits = {AddressType.ALIAS: team.aliases_limit, AddressType.MAILBOX: team.mailboxes_limit}
        limit = limits.get(kind, 0)
        if limit and self._stores.addresses.count(workspace, kind) >= limit:
            raise InvalidFields(("type", f"the team has all {limit} that it may have"))

    def _note(self, address: Address, entry: AuditEntry, what: str) -> None:
        told = msgspec.structs.replace(entry, action="address", subject=address.id, detail=what)
        self._stores.audit.note(address.workspace, told)


def canonical(name: str) -> str:
    """As the ledger knows addresses: the gateway looks them up in lower case. Raises InvalidFields."""
    try:
        return read_mailbox(name).address.lower()
    except InvalidInput as error:
        raise InvalidFields(("address", error.message)) from None


def _with(address: Address, terms: Terms) -> Address:
    """Raises InvalidFields."""
    given = {name: value for name, value in msgspec.structs.asdict(terms).items() if value is not msgspec.UNSET}
    changed = msgspec.structs.replace(address, **given)
    if len(changed.label) > LONGEST_LABEL or "\0" in changed.label:
        raise InvalidFields(("label", f"at most {LONGEST_LABEL} characters"))
    for name, value in (("quarantine", changed.quarantine_at), ("reject", changed.reject_at)):
        if value is not None and not -_MOST_SCORE <= value <= _MOST_SCORE:
            raise InvalidFields((f"{name}_threshold", f"expected a score from -{_MOST_SCORE} to {_MOST_SCORE}"))
    if not 0 <= changed.weekly_limit < _MOST_MESSAGES:
        raise InvalidFields(("weekly_limit", "expected a number of messages, 0 for no limit"))
    return changed
