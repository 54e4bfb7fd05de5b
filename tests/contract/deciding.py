"""What other processes do in the contract tests of decisions: ask a ledger whether mails may pass."""

from __future__ import annotations

from multiprocessing.connection import Connection

from mailvane.admission.decision import judge_by
from mailvane.admission.rules import GovernanceRules
from mailvane.domain.outbound import Passage
from mailvane.storage.ledger import open_ledger

NOW = 1_790_000_000_000
JUDGE = judge_by(GovernanceRules())
GROUP = 8


def allowed_of(url: str, name: str, asked: int) -> int:
    """How many of so many mails pass, asked for in groups."""
    ledger = open_ledger(url)
    passages = [Passage(domain=name)] * GROUP
    allowed = 0
    for _ in range(asked // GROUP):
        allowed += sum(verdict.allowed for verdict in ledger.decide(passages, NOW, JUDGE))
    ledger.close()
    return allowed


def decide_until_killed(url: str, name: str, answers: Connection) -> None:
    """Tell each answer as soon as it is there."""
    ledger = open_ledger(url)
    while True:
        verdicts = ledger.decide([Passage(domain=name)] * GROUP, NOW, JUDGE)
        answers.send(sum(verdict.allowed for verdict in verdicts))
