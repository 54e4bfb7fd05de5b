"""The ledger's part in tenancy: workspaces, relays and keys. A protocol."""

from __future__ import annotations

from typing import Protocol

from mailvane.core.tenants.model import Key, KeyKind, Relay, Workspace


class Tenants(Protocol):
    """Workspaces, relays and keys."""

    def add_workspace(self, name: str, now: int) -> Workspace:
        """Raises AlreadyExists."""

    def workspaces(self) -> list[Workspace]:
        """All of them, by id."""

    def workspace(self, workspace: int) -> Workspace | None:
        """The one of that id."""

    def workspace_named(self, name: str) -> Workspace | None: ...

    def save_workspace(self, workspace: Workspace) -> None:
        """Store changed name or retention. Raises NotFound, AlreadyExists."""

    def add_relay(self, workspace: int, comment: str, now: int) -> Relay:
        """A new active relay; ids are unique across workspaces and count from 1. Raises NotFound."""

    def relays(self, workspace: int) -> list[Relay]:
        """All relays of a workspace, by id, inactive ones too."""

    def relay(self, relay: int) -> Relay | None:
        """The one of that id, of whichever workspace."""

    def save_relay(self, relay: Relay) -> None:
        """Store changed comment, activity, billing day or price. Raises NotFound."""

    def add_key(self, kind: KeyKind, workspace: int | None, secret: str, now: int) -> Key:
        """Keep the hash of a new secret. Raises NotFound."""

    def key(self, secret: str) -> Key | None:
        """The key that a presented secret belongs to."""
