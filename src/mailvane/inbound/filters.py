"""The filters of a workspace, as people write, switch, move and remove them, each change audited. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.addresses import canonical
from mailvane.inbound.filter_words import groups_of
from mailvane.inbound.filtering import check_filter
from mailvane.inbound.model import AuditEntry, Filter, FilterAction
from mailvane.inbound.stores import InboundStores

_LONGEST_NAME = 200


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of a filter that is not there yet."""

    name: str
    action: FilterAction | None
    every: Sequence[str]  # conditions that all must hold, as `filter_words` reads them
    some: Sequence[str]  # of which at least one must
    address: str | None = None  # the only one that it is for
    position: int = 0  # from 1; 0: behind all others
    active: bool = True


class Filters:
    """Of one workspace, on behalf of whoever the entry names."""

    def __init__(self, stores: InboundStores, workspace: int, entry: AuditEntry) -> None:
        self._stores = stores
        self._workspace = workspace
        self._entry = entry

    def drafted(self, wanted: Wanted) -> Filter:
        """The filter, not kept yet. Raises InvalidInput, NotFound."""
        if wanted.action is None:
            raise InvalidInput("say --action allow or --action deny")
        if not wanted.every and not wanted.some:
            raise InvalidInput("say --if or --if-any: a filter without a condition matches nothing")
        _check_name(wanted.name)
        address = None
        if wanted.address is not None:
            found = self._stores.addresses.address(self._workspace, canonical(wanted.address))
            if found is None:
                raise NotFound(f"there is no address {wanted.address}")
            address = found.id
        rule = Filter(
            id=ordered_uuid(self._entry.at), workspace=self._workspace, name=wanted.name, action=wanted.action,
            groups=groups_of(wanted.every, wanted.some), position=wanted.position, active=wanted.active,
            address=address, created_at=self._entry.at,
        )  # fmt: skip
        check_filter(rule)
        return rule

    def all(self) -> list[Filter]:
        """In their order, inactive ones too."""
        return self._stores.filters.filters(self._workspace)

    def one(self, name: str) -> Filter:
        """By id or by name. Raises NotFound, InvalidInput."""
        known = self.all()
        found = [one for one in known if one.id == name] or [one for one in known if one.name == name]
        if not found:
            raise NotFound(f"there is no filter {name}")
        if len(found) > 1:
            raise InvalidInput(f"several filters are called {name}: say the id, {', '.join(one.id for one in found)}")
        return found[0]

    def create(self, wanted: Wanted) -> Filter:
        made = self._stores.filters.put(self.drafted(wanted))
        self._note(made, "created")
        return made

    def switch(self, name: str, *, active: bool) -> Filter:
        """Let it decide, or not; it keeps its place."""
        before = self.one(name)
        after = self._stores.filters.put(msgspec.structs.replace(before, active=active))
        if before.active is not active:
            self._note(after, "enabled" if active else "disabled")
        return after

    def move(self, name: str, position: int) -> Filter:
        moved = self._stores.filters.put(msgspec.structs.replace(self.one(name), position=position))
        self._note(moved, f"moved to {moved.position}")
        return moved

    def rename(self, name: str, new: str) -> Filter:
        _check_name(new)
        renamed = self._stores.filters.put(msgspec.structs.replace(self.one(name), name=new))
        self._note(renamed, f"renamed to {new}")
        return renamed

    def remove(self, name: str) -> Filter:
        gone = self.one(name)
        self._stores.filters.remove(self._workspace, gone.id)
        self._note(gone, "removed")
        return gone

    def _note(self, rule: Filter, what: str) -> None:
        entry = msgspec.structs.replace(self._entry, action="filter", subject=rule.id, detail=what)
        self._stores.audit.note(self._workspace, entry)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"a filter has a name of at most {_LONGEST_NAME} printable characters")
