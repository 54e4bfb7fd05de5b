"""A lease lasts as long as its block, and no longer; on a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core import leasing
from mailvane.core.leasing import LEASE_MS, Held, Leasing
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000


class Nodes:
    """Two processes on one ledger, and the clock of both."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = NOW
        self.one = Leasing(ledger.leases, lambda: self.now, "one")
        self.other = Leasing(ledger.leases, lambda: self.now, "other")

    def holders(self) -> list[str]:
        return [lease.holder for lease in self.ledger.leases.leases(self.now)]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Nodes(ledger)
    ledger.close()


def test_one_holds_it_and_gives_it_back_also_when_the_block_fails(nodes: Nodes) -> None:
    async def block() -> None:
        async with nodes.one.held("x") as held:
            assert held is not None
            async with nodes.other.held("x") as second, nodes.other.held("y") as third:
                assert (second, third is None) == (None, False)
            assert nodes.holders() == ["one"], "what was not taken is not given back"
            raise RuntimeError

    async def scene() -> None:
        with pytest.raises(RuntimeError):
            await block()
        assert nodes.holders() == []
        async with nodes.other.held("x") as held:
            assert held is not None

    asyncio.run(scene())


def test_it_is_renewed_while_the_block_lasts_and_known_to_be_lost_when_it_was_not(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "RENEW_SECONDS", 0.01)

    async def lost(held: Held) -> None:
        async with asyncio.timeout(10):
            while not held.lost:
                await asyncio.sleep(0.01)

    async def scene() -> None:
        async with nodes.one.held("x") as held:
            assert held is not None
            nodes.now += LEASE_MS - 1
            async with asyncio.timeout(10):
                while nodes.ledger.leases.leases(nodes.now)[0].until < nodes.now + LEASE_MS:
                    await asyncio.sleep(0.01)
            assert not held.lost
            nodes.ledger.leases.void_leases()
            assert nodes.ledger.leases.hold("x", "other", nodes.now, LEASE_MS)
            await lost(held)
        assert nodes.holders() == ["other"]

    asyncio.run(scene())


def test_a_process_is_named_so_that_people_find_it(nodes: Nodes) -> None:
    first, second = (Leasing(nodes.ledger.leases, lambda: NOW).holder for _ in range(2))
    assert first != second
    assert first.split(":")[1].isdecimal()
