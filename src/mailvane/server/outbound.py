"""Puts outbound governance together from the settings and the stores: rules, decisions, customers' keys, proofs."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.verification import Proving
from mailvane.server.governing import governance_of
from mailvane.server.sending_services import notification_intake, verification_provider
from mailvane.server.stores import Stores


def outbound_services(
    settings: OutboundSettings, stores: Stores, tenancy: Tenancy, clock: Callable[[], int]
) -> OutboundServices:
    """Raises InvalidSetting."""
    governance = governance_of(settings, stores.ledger)
    return OutboundServices(
        tenancy=tenancy,
        governance=governance,
        desk=DecisionQueue(governance, clock),
        clients=ClientKeys(stores.ledger.clients, governance),
        proving=Proving(governance, verification_provider(settings)),
        take_notification=notification_intake(settings, stores, governance),
        clients_may_change_limits=settings.client_may_change_limits,
        trust_new_domains=settings.trust_new_domains,
    )
