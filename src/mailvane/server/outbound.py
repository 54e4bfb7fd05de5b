"""Puts outbound governance together from the settings and the stores: rules, decisions, customers' keys, proofs."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from prometheus_client import CollectorRegistry

from mailvane.core.connections import ConnectionLimits
from mailvane.core.extras import needing
from mailvane.core.names import mail_domain
from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.admission.rules import suppression_rules
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.feedback import FeedbackBook, NotificationIntake
from mailvane.outbound.holds import Holds
from mailvane.outbound.model import Reason
from mailvane.outbound.policy.protocol import REFUSALS, DomainSource, PolicyRules, Refusal
from mailvane.outbound.policy.server import PolicyMetrics, PolicyServer
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.ses.certificates import Certificates, trusted_roots
from mailvane.outbound.ses.dns_provider import DnsProvider, look_up_by
from mailvane.outbound.ses.fetching import Fetcher
from mailvane.outbound.ses.intake import SnsIntake
from mailvane.outbound.ses.sns import SnsGate
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.suppression_list import SuppressionList
from mailvane.outbound.verification import DomainVerification, NoProvider, VerificationProvider
from mailvane.server.governance import governance_of
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


# Joins Amazon SES to governance, by the settings: who verifies domains, and where feedback on their mail comes in.


def verification_provider(settings: OutboundSettings) -> VerificationProvider:
    """Raises InvalidSetting."""
    if settings.ses_provider == "aws":
        # Imported by those who verify with Amazon: boto3 costs every other start a tenth of a second and 20 MiB.
        with needing("ses", "boto3", "botocore"):
            from mailvane.outbound.ses.provider import SesProvider  # noqa: PLC0415

        return SesProvider(settings.ses_region or None, settings.ses_endpoint, settings.ses_dkim_domain)
    if settings.ses_provider == "dns":
        return DnsProvider(look_up_by(settings.dns_resolvers), settings.dkim_domain)
    return NoProvider()


def notification_intake(settings: OutboundSettings, stores: Stores, book: FeedbackBook) -> NotificationIntake:
    """Raises InvalidSetting."""
    fetch = Fetcher()
    roots = trusted_roots(Path(settings.sns_trusted_roots) if settings.sns_trusted_roots else None)
    at_hand = Path(settings.sns_certificates) if settings.sns_certificates else None
    return SnsIntake(
        SnsGate(Certificates(fetch, roots, at_hand), settings.sns_topics, fetch),
        book,
        Tenancy(stores.ledger.tenants, ""),
        stores.recorder,
        settings.count_all_bounces,
        settings.ses_relay,
    )


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
        clients_may_change_limits=settings.client_may_change_limits,
        trust_new_domains=settings.trust_new_domains,
    )
