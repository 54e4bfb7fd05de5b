"""Who may do what in the Emboux API: the master everything, others what is of their own workspace.

# ours: the vendor does not say what a customer's token may change. Limits, tier, enforcement and the lifting of a
suspension are the master's unless the settings say otherwise; else a customer lifts the cap it was given.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailvane.core.errors import NotAllowed, NotFound
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.outbound.emboux.shape import DOMAIN_NOT_FOUND, MASTER_REQUIRED, unprocessable
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Domain


def is_master(principal: Principal) -> bool:
    return principal.kind is KeyKind.MASTER


def require_master(principal: Principal) -> None:
    """Raises NotAllowed."""
    if not is_master(principal):
        raise NotAllowed(MASTER_REQUIRED)


def scope_of(principal: Principal) -> int | None:
    """The workspace whose domains the key opens; None: all of them. Raises Unprocessable.

    A master or platform key that names a workspace sees that one.
    """
    if principal.workspace is None and not is_master(principal):
        raise unprocessable(("header", "X-Workspace-Id"), "name the workspace")
    return principal.workspace


def owned(governance: Governance, principal: Principal, name: str) -> Domain:
    """The domain, when the key opens it; that of another workspace looks like none. Raises NotFound."""
    scope = scope_of(principal)
    try:
        return governance.domain(name, scope)
    except NotFound:
        raise NotFound(DOMAIN_NOT_FOUND) from None


def as_said_by(
    principal: Principal, governance: Governance, domain: Domain, changes: Mapping[str, object]
) -> Mapping[str, object]:
    """The changes; what the master stops is stopped for mail servers, too."""
    return governance.stopping(domain, changes) if is_master(principal) else changes


def actor_of(principal: Principal) -> str:
    """For the audit."""
    return "master token" if is_master(principal) else f"key {principal.key}"
