"""Whose mail is in the mail log. A new ledger begins its ids at 1 again: the old mail is not the new tenant's.

The mail log keeps, for each workspace whose mail it holds, the moment at which the ledger made it. Whoever opens both
stores compares; what does not fit is for a person to decide: the right ledger, `adopt`, or `drop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from mailvane.core.errors import InvalidInput, LedgerMismatch, NotFound
from mailvane.core.tenants.model import Workspace
from mailvane.core.tenants.store import TenantStore
from mailvane.maillog.interface import EventStore, OwnedMail
from mailvane.maillog.model import EventBatch, Holding, Owner
from mailvane.maillog.store.adopting import AdoptionStore

_SHOWN = 5


class OwnedStore(OwnedMail, EventStore, Protocol):
    """A mail log that is asked whose mail it holds, and takes in more."""


class Adopted(msgspec.Struct, frozen=True):
    """Who has the old mail now."""

    workspace: Workspace
    holding: Holding


class Ownership:
    """Both stores of one process. Safe to share between threads."""

    def __init__(self, tenants: TenantStore, adoption: AdoptionStore, maillog: OwnedStore) -> None:
        self._tenants = tenants
        self._adoption = adoption
        self._maillog = maillog
        self._noted: set[int] = set()

    def check(self) -> None:
        """Raises LedgerMismatch when there is mail of workspaces that the ledger does not know."""
        self._noted.clear()
        removed = self._removed()
        strangers = [each for each in self._strangers() if not _same(removed.get(each.workspace), each)]
        if strangers:
            # Whatever is decided, nobody new is to get an id that old mail bears.
            self._adoption.reserve_ids(*self._maillog.greatest_ids())
            raise LedgerMismatch(_describe(strangers))

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        """Store a batch, after it was noted whose it is; what is of a removed workspace is dropped.

        Raises LedgerMismatch, NotFound, StoreUnavailable.
        """
        if batch.workspace not in self._noted:
            if batch.workspace in self._removed():
                return
            self._note(batch.workspace)
            self._noted.add(batch.workspace)
        self._maillog.append(batch, doubtful)

    def adopt(self, workspace: int, name: str, now: int) -> Adopted:
        """Give mail that the ledger does not know to a workspace of this id, made anew if it is missing.

        With no name, the one that it had. A workspace that is there must be named: it is to be meant. Raises NotFound,
        InvalidInput, AlreadyExists.
        """
        stranger = self._stranger(workspace)
        holding = self._maillog.holding(workspace)
        known = self._known().get(workspace)
        if known is None:
            if not (name or stranger.name):
                raise InvalidInput("the mail log does not know how this workspace was named: name it")
            created_at = stranger.created_at or now
            known = Workspace(workspace, name or stranger.name, created_at, holding.retention_days)
        elif name != known.name:
            raise InvalidInput(
                f"workspace {workspace} of the ledger is {known.name!r}: name it to give it the old mail"
            )
        self._adoption.adopt_workspace(known, holding.relays, now)
        self._maillog.adopt(_owner(known))
        return Adopted(known, holding)

    def drop(self, workspace: int) -> Holding:
        """Delete mail that the ledger does not know; how much it was. Raises NotFound."""
        self._stranger(workspace)
        holding = self._maillog.holding(workspace)
        self._adoption.reserve_ids(*self._maillog.greatest_ids())
        self._maillog.drop(workspace)
        if workspace not in self._known():
            self._adoption.forget_batches(workspace)
        return holding

    def removed_mail(self) -> list[Workspace]:
        """Removed workspaces of which there is mail still, or again: it was on its way when they were removed."""
        removed = self._removed()
        self._noted.difference_update(removed)
        return [each for one, each in removed.items() if self._maillog.holding(one).events]

    def drop_removed(self, workspace: int) -> None:
        """Delete mail of a workspace that was removed. Raises NotFound."""
        if workspace not in self._removed():
            raise NotFound(f"no workspace {workspace} was removed")
        self._noted.discard(workspace)
        self._maillog.drop(workspace)
        self._adoption.forget_batches(workspace)

    def holding(self, workspace: int) -> Holding:
        """What the mail log has of a workspace."""
        return self._maillog.holding(workspace)

    def _removed(self) -> dict[int, Workspace]:
        known = self._known()
        return {each.id: each for each in self._tenants.removed_workspaces() if each.id not in known}

    def _known(self) -> dict[int, Workspace]:
        return {each.id: each for each in self._tenants.workspaces()}

    def _strangers(self) -> list[Owner]:
        known = self._known()
        owners = self._maillog.owners() or self._first_told(known)
        return [owner for owner in owners if not _same(known.get(owner.workspace), owner)]

    def _first_told(self, known: dict[int, Workspace]) -> list[Owner]:
        """A mail log of an earlier version belongs to the ledger beside it."""
        removed = self._removed()
        holders = [holder for holder in self._maillog.holders() if holder not in removed]
        owners = [_owner(known[holder]) if holder in known else Owner(holder, 0) for holder in holders]
        for owner in owners:
            self._maillog.own(owner)
        return owners

    def _stranger(self, workspace: int) -> Owner:
        found = [owner for owner in self._strangers() if owner.workspace == workspace]
        if not found:
            raise NotFound(f"the mail log holds no mail of a workspace {workspace} that the ledger does not know")
        return found[-1]

    def _note(self, workspace: int) -> None:
        known = self._known().get(workspace)
        if known is None:
            raise NotFound(f"there is no workspace {workspace}")
        owners = self._owners_of(workspace)
        if not owners:
            self._maillog.own(_owner(known))
            owners = self._owners_of(workspace)  # another ledger may have been as fast
        if strangers := [owner for owner in owners if not _same(known, owner)]:
            raise LedgerMismatch(_describe(strangers))

    def _owners_of(self, workspace: int) -> list[Owner]:
        return [owner for owner in self._maillog.owners() if owner.workspace == workspace]


def _same(workspace: Workspace | None, owner: Owner) -> bool:
    return workspace is not None and workspace.created_at == owner.created_at


def _owner(workspace: Workspace) -> Owner:
    return Owner(workspace.id, workspace.created_at, workspace.name)


def _describe(strangers: Sequence[Owner]) -> str:
    named = [_named(owner) for owner in strangers[:_SHOWN]]
    if len(strangers) > _SHOWN:
        named.append(f"{len(strangers) - _SHOWN} more")
    return (
        f"the mail log holds mail of workspaces that the ledger does not know: {', '.join(named)}; bring back the"
        " ledger that belongs to it (`mailvane restore`), or decide for each: `mailvane workspace adopt ID` or"
        " `mailvane workspace drop ID`"
    )


def _named(owner: Owner) -> str:
    made = datetime.fromtimestamp(owner.created_at // 1000, UTC).strftime("%Y-%m-%d") if owner.created_at else ""
    about = ", ".join(filter(None, [owner.name, f"made {made}" if made else ""]))
    return f"{owner.workspace} ({about})" if about else str(owner.workspace)
