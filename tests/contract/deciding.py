"""What other processes do in the contract tests of decisions: ask a ledger whether mails may pass."""

from __future__ import annotations

from multiprocessing.connection import Connection

from mailvane.outbound.admission.decision import judge_by
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.model import Domain, HeldDomain, MinuteOfDecisions, Revision, SendRequest, Usage
from mailvane.server.ledger import Ledger, open_ledger

NOW = 1_790_000_000_000
JUDGE = judge_by(GovernanceRules())
GROUP = 8


def added(ledger: Ledger, domain: Domain) -> Domain:
    """A new domain, as it is told; another one of that name stays."""
    return ledger.domains.revise(domain.name, lambda _: Revision(kept=(HeldDomain(domain=domain),)))[0]


def usages(ledger: Ledger, *names: str) -> dict[str, Usage]:
    """The counters of what `domain` finds by these names."""
    found = [domain for domain in map(ledger.domains.domain, names) if domain is not None]
    stored = ledger.domains.usage([domain.id for domain in found])
    return {domain.name: stored[domain.id] for domain in found}


def decisions(ledger: Ledger, name: str, since: int, until: int) -> list[MinuteOfDecisions]:
    """The minutes of what `domain` finds by this name."""
    domain = ledger.domains.domain(name)
    return [] if domain is None else ledger.billing.decisions(domain.id, since, until)


def allowed_of(url: str, name: str, asked: int) -> int:
    """How many of so many mails pass, asked for in groups."""
    ledger = open_ledger(url)
    passages = [SendRequest(domain=name)] * GROUP
    allowed = 0
    for _ in range(asked // GROUP):
        allowed += sum(verdict.allowed for verdict in ledger.domains.decide(passages, NOW, JUDGE))
    ledger.close()
    return allowed


def decide_until_killed(url: str, name: str, answers: Connection) -> None:
    """Tell each answer as soon as it is there."""
    ledger = open_ledger(url)
    while True:
        verdicts = ledger.domains.decide([SendRequest(domain=name)] * GROUP, NOW, JUDGE)
        answers.send(sum(verdict.allowed for verdict in verdicts))
