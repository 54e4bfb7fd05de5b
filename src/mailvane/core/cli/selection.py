"""Which workspace and relays a command means, by their names."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import INBOUND_RELAY, Workspace
from mailvane.core.tenants.service import Tenancy


def chosen_workspace(tenancy: Tenancy, name: str | None) -> Workspace:
    """The named workspace, or the only one there is."""
    if name is not None:
        return tenancy.workspace(name)
    found = tenancy.workspaces()
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput("there is no workspace yet: create one with `mailvane workspace create NAME`")
    raise InvalidInput(f"say which workspace with --workspace: {', '.join(one.name for one in found)}")


def chosen_relays(tenancy: Tenancy, workspace: Workspace, relay: int | None) -> tuple[int, ...]:
    """The one relay asked for, which may be that of mail that comes in, or all relays of the workspace."""
    if relay == INBOUND_RELAY:
        return (INBOUND_RELAY,)
    known = tuple(one.id for one in tenancy.relays(workspace.id))
    if relay is None:
        if not known:
            raise InvalidInput(f"workspace {workspace.name} has no relay yet: mailvane relay create --workspace …")
        return known
    if relay not in known:
        raise InvalidInput(f"workspace {workspace.name} has no relay {relay}")
    return (relay,)
