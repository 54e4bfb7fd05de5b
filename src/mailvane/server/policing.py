"""Puts the Postfix policy service together from the settings and the desk that decides."""

from __future__ import annotations

from ipaddress import ip_network

from prometheus_client import CollectorRegistry

from mailvane.core.connections import ConnectionLimits
from mailvane.core.names import mail_domain
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.policy.decision import REFUSALS, DomainSource, PolicyRules, Refusal
from mailvane.outbound.policy.server import PolicyMetrics, PolicyServer
from mailvane.outbound.settings import OutboundSettings


def policy_server(
    outbound: OutboundSettings, desk: DecisionQueue, registry: CollectorRegistry, limits: ConnectionLimits
) -> PolicyServer:
    """The service, which does not listen yet."""
    return PolicyServer(desk.ask, policy_rules(outbound), PolicyMetrics(registry), limits=limits)


def policy_rules(outbound: OutboundSettings) -> PolicyRules:
    chosen = {reason: Refusal(word) for reason, word in outbound.policy_actions.items()}
    return PolicyRules(
        domain_by=tuple(DomainSource(word) for word in outbound.domain_by),
        clients={ip_network(address): mail_domain(name) for address, name in outbound.clients.items()},
        internal_domains=frozenset(map(_internal, outbound.internal_domains)),
        count_null_sender=outbound.count_null_sender,
        refuse_ungoverned=outbound.ungoverned_domains == "refuse",
        refusals={**REFUSALS, **chosen},
    )


def _internal(name: str) -> str:
    """A leading dot stands for everything below."""
    return "." + mail_domain(name[1:]) if name.startswith(".") else mail_domain(name)
