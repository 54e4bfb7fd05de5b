"""Puts outbound governance together from the settings and the stores: rules, decisions, customers' keys, proofs."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from prometheus_client import CollectorRegistry

from mailvane.core.connections import ConnectionLimits
from mailvane.core.names import mail_domain
from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.admission.rules import suppression_rules
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.holds import Holds
from mailvane.outbound.model import Reason
from mailvane.outbound.policy.decision import REFUSALS, DomainSource, PolicyRules, Refusal
from mailvane.outbound.policy.metrics import PolicyMetrics
from mailvane.outbound.policy.server import PolicyServer
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.suppression_list import SuppressionList
from mailvane.outbound.verification import DomainVerification
from mailvane.server.governance import governance_of
from mailvane.server.ses import notification_intake, verification_provider
from mailvane.server.stores import Stores


def policy_server(
    outbound: OutboundSettings, decision_queue: DecisionQueue, registry: CollectorRegistry, limits: ConnectionLimits
) -> PolicyServer:
    """The service, which does not listen yet."""
    return PolicyServer(decision_queue.ask, policy_rules(outbound), PolicyMetrics(registry), limits=limits)


def policy_rules(outbound: OutboundSettings) -> PolicyRules:
    chosen = {reason: Refusal(word) for reason, word in outbound.policy_actions.items()}
    return PolicyRules(
        domain_by=tuple(DomainSource(word) for word in outbound.domain_by),
        clients={ip_network(address): mail_domain(name) for address, name in outbound.clients.items()},
        internal_domains=frozenset(map(_internal, outbound.internal_domains)),
        count_null_sender=outbound.count_null_sender,
        refuse_ungoverned=outbound.ungoverned_domains == "refuse",
        refusals={**REFUSALS, **chosen},
        pending=chosen.get(Reason.UNVERIFIED, Refusal.DEFER),
        quota_header=outbound.quota_header,
    )


def _internal(name: str) -> str:
    """A leading dot stands for everything below."""
    return "." + mail_domain(name[1:]) if name.startswith(".") else mail_domain(name)


def outbound_services(
    settings: OutboundSettings, stores: Stores, tenancy: Tenancy, clock: Callable[[], int]
) -> OutboundServices:
    """Raises InvalidSetting."""
    governance = governance_of(settings, stores.ledger)
    return OutboundServices(
        tenancy=tenancy,
        governance=governance,
        send_limits=SendLimits(stores.ledger.send_limits),
        suppressions=SuppressionList(stores.ledger.suppressions, suppression_rules(settings)),
        holds=Holds(stores.ledger.holds),
        decision_queue=DecisionQueue(governance, clock),
        clients=ClientKeys(stores.ledger.clients, governance),
        domain_verification=DomainVerification(governance, verification_provider(settings)),
        take_notification=notification_intake(settings, stores, governance),
        bounce_sources=_bounce_sources(settings),
        clients_may_change_limits=settings.client_may_change_limits,
        trust_new_domains=settings.trust_new_domains,
    )


def _bounce_sources(settings: OutboundSettings) -> tuple[str, ...]:
    found = ["notifications of Amazon SES"] if settings.sns_topics else []
    found += ["permanent refusals in the Postfix log"] if settings.count_postfix_bounces else []
    return (*found, "bounces that come back as mail, where reports are read")
