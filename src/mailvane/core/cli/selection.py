"""Which workspace and relays a command means, by their names."""

from __future__ import annotations

from typing import Protocol

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import INBOUND_RELAY, Relay, Workspace


class Tenants(Protocol):
    """Who there is, to those who only look: `Tenancy` here, or a server that is asked."""

    def workspaces(self) -> list[Workspace]:
        """All of them, by id."""

    def workspace(self, name: str) -> Workspace:
        """The workspace of that name. Raises NotFound."""

    def relays(self, workspace: int) -> list[Relay]:
        """All of a workspace, those that no longer send too."""


def chosen_workspace(tenants: Tenants, name: str | None) -> Workspace:
    """The named workspace, or the only one there is."""
    if name is not None:
        return tenants.workspace(name)
    found = tenants.workspaces()
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput("there is no workspace yet: create one with `mailvane workspace create NAME`")
    raise InvalidInput(f"say which workspace with --workspace: {', '.join(one.name for one in found)}")


def chosen_relays(tenants: Tenants, workspace: Workspace, relay: int | None) -> tuple[int, ...]:
    """The one relay asked for, which may be that of mail that comes in, or all relays of the workspace."""
    if relay == INBOUND_RELAY:
        return (INBOUND_RELAY,)
    known = tuple(one.id for one in tenants.relays(workspace.id))
    if relay is None:
        if not known:
            raise InvalidInput(f"workspace {workspace.name} has no relay yet: mailvane relay create --workspace …")
        return known
    if relay not in known:
        raise InvalidInput(f"workspace {workspace.name} has no relay {relay}")
    return (relay,)
