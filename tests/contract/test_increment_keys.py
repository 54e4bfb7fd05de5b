"""Increments under an `Idempotency-Key`: answered once, whoever asks again; on every ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.model import Domain, SendRequest, Verdict
from mailvane.server.ledger import Ledger
from tests.contract.deciding import JUDGE, NOW, added, usages

NAME = "a.example"


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    found = ledger.tenants.add_workspace("acme", NOW).id
    for name in (NAME, "b.example"):
        added(ledger, Domain(id=0, workspace=found, name=name, created_at=NOW, daily_limit=3))
    return found


def keyed(key: str, name: str = NAME, content: bytes = b"") -> SendRequest:
    return SendRequest(domain=name, key=key, content=content)


def ask(ledger: Ledger, request: SendRequest, at: int = NOW) -> Verdict:
    (verdict,) = ledger.domains.decide([request], at, JUDGE)
    return verdict


@pytest.mark.usefixtures("workspace")
def test_the_same_request_counts_once_within_a_transaction_and_beyond(ledger: Ledger) -> None:
    first, second, other = ledger.domains.decide([keyed("1"), keyed("1"), keyed("2")], NOW, JUDGE)
    assert (first, other.sent_today) == (second, 2)
    assert ask(ledger, keyed("1"), NOW + HOUR_MS) == first
    assert usages(ledger, NAME)[NAME].sent_today == 2


@pytest.mark.usefixtures("workspace")
def test_the_same_key_for_another_request_decides_nothing(ledger: Ledger) -> None:
    ask(ledger, keyed("1"))
    for other in (keyed("1", "b.example"), keyed("1", content=b"x")):
        assert ask(ledger, other).key_reused
        both = ledger.domains.decide([keyed("2"), SendRequest(domain=other.domain, key="2", content=b"y")], NOW, JUDGE)
        assert [verdict.key_reused for verdict in both] == [False, True]
    assert {name: usage.sent_today for name, usage in usages(ledger, NAME, "b.example").items()} == {
        NAME: 2,
        "b.example": 0,
    }


@pytest.mark.usefixtures("workspace")
def test_a_key_of_another_workspace_is_another(ledger: Ledger) -> None:
    theirs = ledger.tenants.add_workspace("theirs", NOW).id
    added(ledger, Domain(id=0, workspace=theirs, name="c.example", created_at=NOW))
    assert ask(ledger, keyed("1")).sent_today == 1
    assert ask(ledger, keyed("1", "c.example")).sent_today == 1


@pytest.mark.usefixtures("workspace")
def test_a_key_is_known_for_a_day(ledger: Ledger) -> None:
    first = ask(ledger, keyed("1"))
    assert ask(ledger, keyed("1"), NOW + DAY_MS - 1) == first
    assert ask(ledger, keyed("1"), NOW + DAY_MS).sent_month == 2


@pytest.mark.usefixtures("workspace")
def test_of_many_that_come_at_once_one_counts(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(lambda _: ask(ledger, keyed("1")), range(16)))
    assert verdicts == [verdicts[0]] * 16
    assert usages(ledger, NAME)[NAME].sent_today == 1


@pytest.mark.usefixtures("workspace")
def test_a_look_counts_nothing_and_a_refused_one_is_remembered(ledger: Ledger) -> None:
    look = SendRequest(domain=NAME, instance="i", units=1, is_look=True)
    assert [ask(ledger, look).allowed for _ in range(5)] == [True] * 5
    assert usages(ledger, NAME)[NAME].sent_today == 0
    for number in range(3):
        ask(ledger, SendRequest(domain=NAME, instance=str(number)))
    assert not ask(ledger, SendRequest(domain=NAME, instance="j", is_look=True)).allowed
    assert usages(ledger, NAME)[NAME].sent_today == 3
