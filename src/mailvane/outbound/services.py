"""What the HTTP interfaces of outbound governance need. The composition root fills it in."""

from __future__ import annotations

from dataclasses import dataclass

from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.feedback import NotificationIntake
from mailvane.outbound.governance import Governance
from mailvane.outbound.holds import Holds
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.suppression_list import SuppressionList
from mailvane.outbound.verification import DomainVerification


@dataclass(frozen=True)
class OutboundServices:
    """Outbound governance. The caller that made the decision queue starts and stops it."""

    tenancy: Tenancy
    governance: Governance
    send_limits: SendLimits
    suppressions: SuppressionList
    holds: Holds
    decision_queue: DecisionQueue
    clients: ClientKeys
    domain_verification: DomainVerification
    take_notification: NotificationIntake | None = None  # None: notifications are not taken in
    bounce_sources: tuple[str, ...] = ()  # in words: whose word of a bounce counts against a domain
    clients_may_change_limits: bool = False
    trust_new_domains: bool = False  # a domain that a customer makes is approved
