"""/domains/{name}/outbound and the resets. Blocking; the caller brings the thread. The increment is not here: it waits
on the event loop for the group that it is decided with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailvane.core.tenants.model import Principal
from mailvane.outbound.emboux.access import actor_of, as_said_by, is_master, owned, require_master
from mailvane.outbound.emboux.parameters import OutboundChange, read
from mailvane.outbound.emboux.shape import DailyReset, encoded, monthly_reset, outbound, unprocessable
from mailvane.outbound.model import Domain, OutboundStatus
from mailvane.outbound.services import OutboundServices

_LONGEST_IDEMPOTENCY_KEY = 255  # ours

# The vendor's name of a field to ours, and whether it is always the master's.
_FIELDS = {
    "outbound_daily_limit": ("daily_limit", False),
    "outbound_monthly_limit": ("monthly_limit", False),
    "outbound_tier": ("tier", False),
    "outbound_enforcement": ("enforcement", False),
    "outbound_status": ("status", False),
    "warmup_profile": ("warmup_profile", True),
    "spike_max_multiplier": ("spike_max_multiplier", True),
    "outbound_hourly_fraction": ("hourly_fraction", True),
}


def show(services: OutboundServices, principal: Principal, name: str) -> bytes:
    """Raises NotFound."""
    return _shown(services, owned(services.governance, principal, name))


def change(services: OutboundServices, principal: Principal, name: str, body: bytes) -> bytes:
    """Change what the body names, all of it or nothing. Raises Unprocessable, NotAllowed, NotFound."""
    governance = services.governance
    domain = owned(governance, principal, name)
    changes = _permitted(services, principal, domain, read(OutboundChange, body))
    if changes:
        said = as_said_by(principal, governance, domain, changes)
        domain = governance.change(domain.name, said, actor_of(principal), services.clock(), domain.workspace)
    return _shown(services, domain)


def _permitted(
    services: OutboundServices, principal: Principal, domain: Domain, given: Mapping[str, Any]
) -> dict[str, object]:
    """What is to be changed, in our words. Raises NotAllowed."""
    changes = {_FIELDS[name][0]: value for name, value in given.items()}
    if is_master(principal):
        return changes
    if any(_FIELDS[name][1] for name in given):
        require_master(principal)
    if services.clients_may_change_limits:
        return changes
    if set(changes) - {"status"}:
        require_master(principal)
    if changes.get("status") is OutboundStatus.ACTIVE:
        if domain.status is OutboundStatus.SUSPENDED:
            require_master(principal)
        return {}  # it is active: were it written, it would undo a suspension that comes at this moment
    return changes


def _shown(services: OutboundServices, domain: Domain) -> bytes:
    usage = services.governance.usage_today(domain.name, services.clock(), domain.workspace)
    return encoded(outbound(domain, usage))


def reset_daily(services: OutboundServices, principal: Principal) -> bytes:
    """Raises NotAllowed."""
    require_master(principal)
    return encoded(DailyReset(services.governance.reset_daily(services.clock())))


def reset_monthly(services: OutboundServices, principal: Principal, key: str | None) -> bytes:
    """Freeze and reset; with the key of a reset before, that one again. Raises NotAllowed, Unprocessable."""
    require_master(principal)
    period = services.governance.reset_monthly(services.clock(), _idempotency_key(key))
    return encoded(monthly_reset(period))


def _idempotency_key(key: str | None) -> str | None:
    if key is None:
        return None
    if not key or len(key) > _LONGEST_IDEMPOTENCY_KEY or not key.isprintable():
        raise unprocessable(
            ("header", "Idempotency-Key"), f"expected 1 to {_LONGEST_IDEMPOTENCY_KEY} visible characters"
        )
    return key
