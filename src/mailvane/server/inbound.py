"""Inbound mail, put together of its stores."""

from __future__ import annotations

from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.quarantine import Quarantine
from mailvane.inbound.services import InboundServices
from mailvane.server.ledger import Ledger

_RETENTION_DAYS = 30


def inbound_services(ledger: Ledger, tenancy: Tenancy) -> InboundServices:
    """What HTTP interfaces ask."""
    quarantine = Quarantine(
        ledger.inbound,
        denied_by=lambda _message: None,
        tell=lambda _before, _after: (),
        wake=lambda: None,
        learn=lambda _message, _is_wanted: None,
    )
    return InboundServices(
        tenancy, ledger.inbound, quarantine, _RETENTION_DAYS, content=lambda _hash: None, content_bytes=lambda: 0
    )
