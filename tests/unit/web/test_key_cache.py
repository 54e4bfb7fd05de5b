"""A proven key is known for a moment; a refused one is never remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from mailvane.core.errors import NotAllowed, NotAuthenticated
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.governance import Governance
from mailvane.server.ledger import Ledger
from mailvane.web.gateway import Authenticator, KeyCache
from mailvane.web.thread_pools import ThreadPools
from tests.ledgers import fresh_ledger
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def tenancy(ledger: Ledger) -> Tenancy:
    return Tenancy(ledger.tenants, "the-master")


@pytest.fixture
def key_cache(ledger: Ledger, tenancy: Tenancy) -> KeyCache:
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    return KeyCache(tenancy, ClientKeys(ledger.clients, governance).admit, age=2.0)


def test_a_proven_key_is_known_until_its_time_is_over(tenancy: Tenancy, key_cache: KeyCache) -> None:
    workspace = tenancy.create_workspace("acme", NOW)
    token = tenancy.create_key(KeyKind.WORKSPACE, workspace.id, NOW).token
    assert key_cache.recall(token, None, 10.0) is None
    proven = key_cache.prove(token, None, NOW, 10.0)
    assert proven.workspace == workspace.id
    assert key_cache.recall(token, None, 11.9) == proven
    assert key_cache.recall(token, None, 12.0) is None


def test_what_a_key_proved_for_one_workspace_it_did_not_prove_for_another(
    tenancy: Tenancy, key_cache: KeyCache
) -> None:
    acme, other = (tenancy.create_workspace(name, NOW) for name in ("acme", "other"))
    token = tenancy.create_key(KeyKind.WORKSPACE, acme.id, NOW).token
    key_cache.prove(token, str(acme.id), NOW, 0.0)
    assert key_cache.recall(token, str(other.id), 0.1) is None
    with pytest.raises(NotAllowed):
        key_cache.prove(token, str(other.id), NOW, 0.1)


def test_a_refused_key_is_not_remembered(key_cache: KeyCache) -> None:
    with pytest.raises(NotAuthenticated):
        key_cache.prove("sk_nobody", None, NOW, 0.0)
    assert key_cache.recall("sk_nobody", None, 0.0) is None


def test_a_change_of_keys_forgets_everybody(key_cache: KeyCache) -> None:
    key_cache.prove("the-master", None, NOW, 0.0)
    assert key_cache.recall("the-master", None, 0.1) is not None
    key_cache.forget()
    assert key_cache.recall("the-master", None, 0.1) is None


class SlowTenancy(Tenancy):
    """A ledger that has answered, and whose answer is long on its way."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger.tenants, "")
        self.asked, self.answering = Event(), Event()
        self.slow = True

    def authenticate(self, token: str, now: int, workspace: str | None = None) -> Principal:
        found = super().authenticate(token, now, workspace)
        if self.slow:
            self.slow = False
            self.asked.set()
            assert self.answering.wait(PATIENCE)
        return found


@pytest.mark.parametrize("told", [True, False], ids=["by this process", "by another"])
def test_nobody_enters_by_a_proof_from_before_the_key_was_revoked(ledger: Ledger, told: bool) -> None:
    """One that is still under way is neither joined nor remembered: after a second, or at once in the same process."""
    tenancy = SlowTenancy(ledger)
    key_cache = KeyCache(tenancy, lambda _key, _now: None, age=1.0 if told else 0.0)
    issued = tenancy.create_key(KeyKind.WORKSPACE, tenancy.create_workspace("acme", NOW).id, NOW)

    async def story() -> None:
        threads = ThreadPools()
        proofs = Authenticator(key_cache, threads, lambda: NOW)
        early = asyncio.create_task(proofs.principal(issued.token, None))
        await asyncio.to_thread(tenancy.asked.wait, PATIENCE)
        tenancy.revoke_key(issued.key.id)
        if told:
            key_cache.forget()
        with pytest.raises(NotAuthenticated):
            await asyncio.wait_for(proofs.principal(issued.token, None), PATIENCE)
        tenancy.answering.set()
        assert (await early).key == issued.key.id  # it came before
        with pytest.raises(NotAuthenticated):
            await proofs.principal(issued.token, None)
        threads.close()

    asyncio.run(story())
