"""The paths of workspaces and keys in Mailvane's own interface, a row each."""

from __future__ import annotations

from mailvane.server.tenants import keys, workspaces
from mailvane.server.tenants.removal import Holdings
from mailvane.server.tenants.services import TenantServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, Pool, RouteTable

_KEY = "/keys/{key:str}"
_WORKSPACE = "/workspaces/{workspace:str}"

_ROWS = [
    Endpoint("get", "/keys", "list_keys", "Keys, never their secrets", keys.keys, list[keys.KeyObject]),
    Endpoint(
        "post", "/keys", "create_key", "A new key; its secret is told this once", keys.create, keys.NewKey,
        keys.KeyCreation, 201,
    ),
    Endpoint(
        "patch", _KEY, "change_key", "Until when it opens", keys.change, keys.KeyObject, keys.KeyExpiry,
        forgets_keys=True,
    ),
    Endpoint("delete", _KEY, "revoke_key", "It opens nothing any more", keys.revoke, None, forgets_keys=True),
    Endpoint(
        "get", "/workspaces", "list_workspaces", "Workspaces", workspaces.workspaces, list[workspaces.WorkspaceObject]
    ),
    Endpoint(
        "post", "/workspaces", "create_workspace", "A new workspace", workspaces.create, workspaces.WorkspaceObject,
        workspaces.WorkspaceCreation, 201, refusals=(409,),
    ),
    Endpoint(
        "get", f"{_WORKSPACE}/holdings", "workspace_holdings", "What goes when the workspace is removed",
        workspaces.holdings, Holdings, pool=Pool.LENGTHY,
    ),
    Endpoint(
        "delete", _WORKSPACE, "remove_workspace", "Remove it with all that is its own; there is no way back",
        workspaces.remove, Holdings, status=200, pool=Pool.UPKEEP, query=(workspaces.NAME,), forgets_keys=True,
    ),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, TenantServices, NATIVE, ("Native",), NATIVE_PREFIX)
