"""A proven key is known for a moment; a refused one is never remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailvane.core.errors import NotAllowed, NotAuthenticated
from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.governance import Governance
from mailvane.server.ledger import Ledger
from mailvane.web.gateway import KeyCache
from tests.ledgers import fresh_ledger

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
