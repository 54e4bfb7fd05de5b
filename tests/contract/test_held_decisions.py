"""Decisions about held mail that wait, on every ledger."""

from __future__ import annotations

import pytest

from mailvane.core.errors import NotFound
from mailvane.dashboard.triage.store import Act, Decision
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


def decision(workspace: int, message: str, due_at: int = NOW, act: Act = Act.ACCEPT) -> Decision:
    return Decision(workspace=workspace, message=message, act=act, remember=True, actor="ann", due_at=due_at)


def test_what_is_due_is_taken_once_the_first_first(ledger: Ledger, one: int) -> None:
    store = ledger.decisions
    store.add([decision(one, "c", NOW + 2), decision(one, "a", NOW), decision(one, "b", NOW + 1)])
    assert [each.message for each in store.take(NOW + 1, NOW + 100, 1)] == ["a"]
    assert [each.message for each in store.take(NOW + 1, NOW + 100, 9)] == ["b"]
    assert store.take(NOW + 1, NOW + 100, 9) == []
    assert [each.message for each in store.take(NOW + 100, NOW + 200, 9)] == ["c", "a", "b"], "taken by one that died"


def test_one_that_waits_is_replaced_and_one_that_was_taken_is_not(ledger: Ledger, one: int) -> None:
    store = ledger.decisions
    store.add([decision(one, "a", act=Act.ACCEPT)])
    store.add([decision(one, "a", NOW + 5, act=Act.REJECT)])
    assert store.waiting(one) == [decision(one, "a", NOW + 5, act=Act.REJECT)]
    store.take(NOW + 5, NOW + 100, 9)
    store.add([decision(one, "a", NOW + 50)])
    (taken,) = store.waiting(one)
    assert (taken.act, taken.taken) == (Act.REJECT, True)
    assert store.take_back(one, ["a"]) == 0
    store.settle(one, {"a": "expired"}, NOW + 1000)
    (failed,) = store.waiting(one)
    assert failed.failure == "expired"
    store.add([decision(one, "a", NOW + 60)])
    assert store.waiting(one) == [decision(one, "a", NOW + 60)], "one that failed may be decided again"


def test_what_was_carried_out_is_forgotten_and_failures_later(ledger: Ledger, one: int) -> None:
    store = ledger.decisions
    other = ledger.tenants.add_workspace("other", NOW).id
    store.add([decision(one, "a"), decision(one, "b"), decision(other, "c", NOW + 9)])
    store.take(NOW, NOW + 100, 9)
    store.settle(one, {"a": "", "b": "no"}, NOW + 1000)
    assert [each.message for each in store.waiting(one)] == ["b"]
    store.forget(NOW + 999)
    assert len(store.waiting(one)) == 1
    store.forget(NOW + 1000)
    assert store.waiting(one) == []
    assert [each.message for each in store.waiting(other)] == ["c"]
    assert store.take_back(one, ["c", "\0"]) == 0
    assert store.take_back(other, ["c"]) == 1
    with pytest.raises(NotFound):
        store.add([decision(one + 1000, "a")])
