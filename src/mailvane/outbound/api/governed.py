"""What governance has written down: frozen months, and what was done to a domain. Blocking; it changes nothing.

A key of one workspace reads of that workspace only; the master reads of all, or of the one that it names.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput, NotAllowed, NotFound
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.outbound.model import BillingPeriod
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked, Parameter

_USUAL = 100
_MOST = 1_000
LIMIT = Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _USUAL})


class Act(msgspec.Struct, frozen=True):
    """Something that was done to a domain."""

    domain: str
    workspace: int
    at: int
    action: str
    actor: str
    evidence: msgspec.Raw  # JSON already


def periods(services: OutboundServices, asked: Asked) -> Sequence[BillingPeriod]:
    """Raises NotAllowed, InvalidInput."""
    workspace = _scope(asked.principal)
    found = services.governance.periods(_number(asked.query.get(LIMIT.name)))
    if workspace is not None:
        found = [_of(workspace, period) for period in found]
    return found


def audit(services: OutboundServices, asked: Asked) -> list[Act]:
    """Raises NotAllowed, InvalidInput, NotFound."""
    workspace, name = _scope(asked.principal), asked.path["name"]
    found = services.governance.audit(name, _number(asked.query.get(LIMIT.name)), workspace)
    if not found:
        try:
            services.governance.domain(name, workspace)
        except NotFound:
            raise NotFound("there is no such domain") from None
    return [
        Act(entry.domain, entry.workspace, entry.at, entry.action, entry.actor, msgspec.Raw(entry.evidence))
        for entry in found
    ]


def _of(workspace: int, period: BillingPeriod) -> BillingPeriod:
    """The key of a freeze is the master's own word, and no customer's business."""
    own = tuple(domain for domain in period.domains if domain.workspace == workspace)
    return msgspec.structs.replace(period, domains=own, idempotency_key=None)


def _scope(principal: Principal) -> int | None:
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not read what is written down of billing and domains")
    if principal.workspace is None and principal.kind is not KeyKind.MASTER:
        raise InvalidInput("name the workspace in the X-Workspace-Id header")
    return principal.workspace


def _number(limit: str | None) -> int:
    if limit is None:
        return _USUAL
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MOST and len(limit) < 9):
        raise InvalidInput(f"`limit` is a whole number from 1 to {_MOST}")
    return int(limit)
