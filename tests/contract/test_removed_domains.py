"""A removed domain is kept, governs its mail and is billed, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import pytest

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Feedback, OutboundStatus, Reason, SendRequest, Verdict
from mailvane.server.ledger import Ledger
from tests.contract.deciding import NOW

NAME = "a.example"


@pytest.fixture
def governance(ledger: Ledger) -> Governance:
    return Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


@pytest.fixture
def other(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("other", NOW).id


def asked(governance: Governance, number: int = 1, now: int = NOW, *, door: bool = True) -> list[Verdict]:
    return governance.decide([SendRequest(domain=NAME, mail_server=door)] * number, now)


def bills(governance: Governance, now: int = NOW, key: str | None = None) -> dict[tuple[str | None, str], int]:
    return {(each.partner, each.name): each.sent_month for each in governance.reset_monthly(now, key).domains}


def test_a_mail_server_is_answered_by_it_and_nobody_else(governance: Governance, workspace: int) -> None:
    governance.create(NAME, workspace, NOW)
    governance.change(NAME, {"daily_limit": 3}, "m", NOW)
    asked(governance, 2)
    governance.remove(NAME, "key 1", NOW)
    assert [each.reason for each in asked(governance, 2)] == [None, Reason.DAILY]
    assert not asked(governance, door=False)[0].known
    assert governance.domains() == []
    assert [each.name for each in governance.domains(removed=True)] == [NAME]
    with pytest.raises(NotFound):
        governance.domain(NAME)
    with pytest.raises(NotFound):
        governance.change(NAME, {"daily_limit": 0}, "m", NOW)
    with pytest.raises(NotFound):
        governance.remove(NAME, "key 1", NOW)
    assert bills(governance) == {("acme", NAME): 3}
    assert not asked(governance)[0].known, "with the freeze it is forgotten"
    assert governance.domains(removed=True) == []
    assert bills(governance) == {}


def test_its_mail_is_billed_also_when_the_month_ends_before_the_freeze(governance: Governance, workspace: int) -> None:
    governance.create(NAME, workspace, NOW)
    asked(governance, 4)
    governance.remove(NAME, "key 1", NOW)
    next_month = NOW + 31 * DAY_MS
    asked(governance, 2, next_month)
    assert bills(governance, next_month, "k") == {("acme", NAME): 6}
    governance.create(NAME, workspace, next_month)
    asked(governance, 1, next_month)
    governance.remove(NAME, "key 1", next_month)
    assert bills(governance, next_month, "k") == {("acme", NAME): 6}
    assert bills(governance, next_month, "l") == {("acme", NAME): 1}


def test_bounces_of_it_count_and_stop_it(governance: Governance, workspace: int) -> None:
    governance.create(NAME, workspace, NOW)
    asked(governance, 10)
    governance.remove(NAME, "key 1", NOW)
    assert governance.feedback(NAME, Feedback(bounces=1, message_id="m1"), NOW)
    assert not governance.feedback(NAME, Feedback(bounces=1, message_id="m1"), NOW)
    assert asked(governance)[0].reason is Reason.SUSPENDED
    assert governance.create(NAME, workspace, NOW).status is OutboundStatus.SUSPENDED
    assert governance.usage_today(NAME, NOW).bounces == 1
    assert [each.action for each in governance.audit(NAME, 9)] == ["created", "suspended", "removed", "created"]


def test_what_one_workspace_sent_is_not_billed_to_the_next(governance: Governance, workspace: int, other: int) -> None:
    governance.create(NAME, workspace, NOW)
    governance.change(NAME, {"monthly_limit": 8}, "m", NOW)
    asked(governance, 3)
    governance.remove(NAME, "key 1", NOW)
    governance.create(NAME, other, NOW)
    assert governance.usage_today(NAME, NOW).sent_month == 3
    assert [each.allowed for each in asked(governance, 6)] == [True] * 5 + [False]
    governance.change(NAME, {"workspace": workspace}, "m", NOW)
    next_month = NOW + 31 * DAY_MS
    asked(governance, 7, next_month)
    assert bills(governance, next_month) == {("acme", NAME): 10, ("other", NAME): 5}
    assert bills(governance, next_month) == {("acme", NAME): 0}


def test_made_at_once_by_many_it_is_made_once(governance: Governance, workspace: int, other: int) -> None:
    governance.create(NAME, workspace, NOW)
    asked(governance)

    def make(owner: int) -> bool:
        try:
            governance.create(NAME, owner, NOW)
        except AlreadyExists:
            return False
        return True

    for _ in range(5):
        governance.remove(NAME, "key 1", NOW)
        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(make, [workspace, other] * 4)) == 1
    governance.reset_monthly(NOW)
    governance.remove(NAME, "key 1", NOW)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(make, [workspace, other] * 4)) == 1


def test_every_mail_is_billed_once_whatever_happens_to_the_domain_meanwhile(
    governance: Governance, workspace: int, other: int
) -> None:
    """Several at once remove it, make it, move it and freeze months, while mail goes on."""

    def trouble(seed: int) -> None:
        chance = Random(seed)
        for _ in range(25):
            owner, deed = chance.choice([workspace, other]), chance.choice(["create", "remove", "move", "freeze"])
            with suppress(NotFound, AlreadyExists):
                if deed == "create":
                    governance.create(NAME, owner, NOW)
                elif deed == "remove":
                    governance.remove(NAME, "x", NOW)
                elif deed == "move":
                    governance.change(NAME, {"workspace": owner}, "x", NOW)
                else:
                    governance.reset_monthly(NOW)

    def send(_: int) -> int:
        return sum(verdict.known for _ in range(40) for verdict in asked(governance, 2))

    governance.create(NAME, workspace, NOW)
    with ThreadPoolExecutor(5) as threads:
        deeds = [threads.submit(trouble, seed) for seed in range(3)]
        counted = sum(threads.map(send, range(2)))
        for each in deeds:
            each.result()
    governance.reset_monthly(NOW)
    frozen = [each for period in governance.periods(999) for each in period.domains]
    assert sum(each.sent_month for each in frozen) == counted
    assert min(each.sent_month for each in frozen) >= 0
