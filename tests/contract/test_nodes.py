"""The servers that share a ledger know of each other, and one master token opens all of them."""

from __future__ import annotations

import pytest

from mailvane.core.errors import NotPossible
from mailvane.core.moments import DAY_MS
from mailvane.core.nodes import SILENT_MS, Node, hashed
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
TOKEN, OTHER = hashed("one"), hashed("another")


def node(name: str, at: int = NOW) -> Node:
    return Node(name, ("http", "worker"), "http://127.0.0.1:8225", "1.0", at, at)


def test_a_node_is_there_until_it_leaves(ledger: Ledger) -> None:
    store = ledger.nodes
    store.enter(node("b"), TOKEN)
    store.enter(node("a"), TOKEN)
    store.tell("b", NOW + 5)
    assert [(one.name, one.seen_at) for one in store.nodes()] == [("a", NOW), ("b", NOW + 5)]
    store.leave("a")
    assert [one.name for one in store.nodes()] == ["b"]


def test_another_master_token_is_refused_while_a_node_runs(ledger: Ledger) -> None:
    store = ledger.nodes
    store.enter(node("first"), TOKEN)
    with pytest.raises(NotPossible, match="not that of first"):
        store.enter(node("second", NOW + SILENT_MS - 1), OTHER)
    assert [one.name for one in store.nodes()] == ["first"]
    later = NOW + SILENT_MS + 1
    store.enter(node("second", later), OTHER)
    assert [one.is_silent(later) for one in store.nodes()] == [True, False]


def test_one_that_was_killed_is_forgotten_after_a_day(ledger: Ledger) -> None:
    ledger.nodes.enter(node("killed"), TOKEN)
    ledger.nodes.enter(node("next", NOW + DAY_MS + 1), TOKEN)
    assert [one.name for one in ledger.nodes.nodes()] == ["next"]
    assert ledger.nodes.forget_all() == 1
