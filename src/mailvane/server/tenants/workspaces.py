"""/workspaces of Mailvane's own interface: listed, made, removed with all that is theirs. For the master. Blocking."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidFields, NotPossible
from mailvane.core.moments import iso_text
from mailvane.core.tenants.model import Workspace
from mailvane.server.tenants.keys import require_master
from mailvane.server.tenants.removal import Holdings, WorkspaceRemoval
from mailvane.server.tenants.services import TenantServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json

NAME = Parameter("name", "The name of the workspace, so that no slip of a number removes another one.", required=True)


class WorkspaceObject(msgspec.Struct, frozen=True):
    """A workspace."""

    id: int
    name: str
    created_at: str  # ISO 8601, UTC
    retention_days: int  # 0: mail events are kept for ever


class WorkspaceCreation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new one."""

    name: str


def workspaces(services: TenantServices, asked: Asked) -> list[WorkspaceObject]:
    """By id. Raises NotAllowed."""
    require_master(asked.principal)
    return [_shown(one) for one in services.tenancy.workspaces()]


def create(services: TenantServices, asked: Asked) -> WorkspaceObject:
    """Raises NotAllowed, InvalidInput, AlreadyExists."""
    require_master(asked.principal)
    return _shown(services.tenancy.create_workspace(read_json(WorkspaceCreation, asked.body).name, asked.now))


def holdings(services: TenantServices, asked: Asked) -> Holdings:
    """What `remove` would take away. Raises NotAllowed, NotFound."""
    require_master(asked.principal)
    return _removal(services).holdings(_named(services, asked).name)


def remove(services: TenantServices, asked: Asked) -> Holdings:
    """What was taken away. Raises NotAllowed, NotFound, InvalidInput, NotPossible."""
    require_master(asked.principal)
    found = _named(services, asked)
    if asked.query.get(NAME.name) != found.name:
        raise InvalidFields((NAME.name, f"expected the name of workspace {found.id}"))
    return _removal(services).remove(found.name, asked.now)


def _named(services: TenantServices, asked: Asked) -> Workspace:
    text = asked.path["workspace"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidFields(("workspace", "a workspace is named by its id, a whole number"))
    return services.tenancy.workspace_of(int(text))


def _removal(services: TenantServices) -> WorkspaceRemoval:
    if services.removal is None:
        raise NotPossible("this process removes no workspaces")
    return services.removal


def _shown(workspace: Workspace) -> WorkspaceObject:
    return WorkspaceObject(workspace.id, workspace.name, iso_text(workspace.created_at), workspace.retention_days)
