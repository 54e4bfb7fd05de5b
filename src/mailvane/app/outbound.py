"""Puts outbound governance together from the settings and the ledger: rules, decisions, customers' keys, proofs."""

from __future__ import annotations

from collections.abc import Callable

from mailvane.admission.rules import GovernanceRules
from mailvane.services.client_keys import ClientKeys
from mailvane.services.decision_desk import DecisionDesk
from mailvane.services.governance import Governance
from mailvane.services.verification import NoProvider, Proving
from mailvane.storage.ledger import SqlLedger
from mailvane.surfaces.http.services import OutboundServices


def outbound_services(ledger: SqlLedger, clock: Callable[[], int]) -> OutboundServices:
    governance = Governance(ledger, ledger, ledger, GovernanceRules())
    return OutboundServices(
        governance=governance,
        desk=DecisionDesk(governance, clock),
        clients=ClientKeys(ledger, governance),
        proving=Proving(governance, NoProvider()),
    )
