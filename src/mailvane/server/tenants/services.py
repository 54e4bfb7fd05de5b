"""What the interface of workspaces and keys needs. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.core.tenants.service import Tenancy
from mailvane.server.tenants.removal import WorkspaceRemoval


@dataclass(frozen=True)
class TenantServices:
    """Workspaces and keys."""

    tenancy: Tenancy
    removal: WorkspaceRemoval | None = None  # None: this process removes no workspaces
