"""Puts outbound governance together from the settings and the stores: rules, decisions, customers' keys, proofs."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.app.governing import governance_of
from mailvane.app.sending_services import notification_intake, verification_provider
from mailvane.app.stores import Stores
from mailvane.outbound_config import OutboundSettings
from mailvane.services.client_keys import ClientKeys
from mailvane.services.decision_desk import DecisionDesk
from mailvane.services.tenancy import Tenancy
from mailvane.services.verification import Proving
from mailvane.surfaces.http.outbound_services import OutboundServices


def outbound_services(
    settings: OutboundSettings, stores: Stores, tenancy: Tenancy, clock: Callable[[], int]
) -> OutboundServices:
    """Raises InvalidSetting."""
    governance = governance_of(settings, stores.ledger)
    return OutboundServices(
        tenancy=tenancy,
        governance=governance,
        desk=DecisionDesk(governance, clock),
        clients=ClientKeys(stores.ledger, governance),
        clock=clock,
        proving=Proving(governance, verification_provider(settings)),
        take_notification=notification_intake(settings, stores, governance),
        clients_may_change_limits=settings.client_may_change_limits,
        trust_new_domains=settings.trust_new_domains,
    )
