"""Customers' keys: issued, changed, taken back, and never more domains than they allow."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from mailvane.core.errors import (
    AlreadyExists,
    InvalidInput,
    KeyDeactivated,
    KeyExpired,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
)
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.client_keys import ClientKeys, check_token
from mailvane.outbound.clients import Terms
from mailvane.outbound.governance import Governance
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000
MINUTE = 60_000
TOKEN = "emb_0123456789abcdef"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


def keys_on(ledger: Ledger) -> ClientKeys:
    """As another process would have them."""
    return ClientKeys(ledger.clients, Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules()))


@pytest.fixture
def keys(ledger: Ledger) -> ClientKeys:
    return keys_on(ledger)


@pytest.mark.parametrize("token", ["", "a" * 15, "a" * 513, "a b" * 8, "ä" * 20, "a/b" * 8, "a\n" * 10])
def test_a_token_that_could_be_guessed_or_cannot_stand_in_a_path_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput):
        check_token(token)


@pytest.mark.parametrize("token", ["a" * 16, "a" * 512, "emb_%41+b=c~d?e#f&g"])
def test_any_other_token_is_accepted(token: str) -> None:
    check_token(token)


def test_only_a_key_that_is_there_active_and_in_time_is_admitted(keys: ClientKeys, workspace: int) -> None:
    key = keys.issue(workspace, TOKEN, Terms(expires_at=NOW + 10), NOW).id
    keys.admit(key, NOW + 9)
    with pytest.raises(KeyExpired):
        keys.admit(key, NOW + 10)
    keys.change(TOKEN, {"active": False, "expires_at": None})
    with pytest.raises(KeyDeactivated):
        keys.admit(key, NOW)
    keys.change(TOKEN, {"active": True})
    keys.admit(key, NOW + 10)
    keys.revoke(TOKEN)
    with pytest.raises(NotAuthenticated):
        keys.admit(key, NOW)


def test_an_unknown_token_is_not_found_whatever_is_asked_of_it(keys: ClientKeys) -> None:
    with pytest.raises(NotFound):
        keys.find(TOKEN)
    with pytest.raises(NotFound):
        keys.change(TOKEN, {"active": True})
    with pytest.raises(NotFound):
        keys.revoke(TOKEN)


def test_a_workspace_is_reached_by_any_key_that_opens(keys: ClientKeys, workspace: int) -> None:
    assert not keys.any_opens(workspace, NOW)
    keys.issue(workspace, TOKEN, Terms(active=False), NOW)
    keys.issue(workspace, TOKEN + "2", Terms(expires_at=NOW), NOW)
    assert not keys.any_opens(workspace, NOW)
    keys.issue(workspace, TOKEN + "3", Terms(expires_at=NOW + 1), NOW)
    assert keys.any_opens(workspace, NOW)


def test_a_key_without_a_quota_makes_any_number(keys: ClientKeys, workspace: int) -> None:
    key = keys.issue(workspace, TOKEN, Terms(), NOW).id
    for number in range(5):
        keys.create_domain(key, f"d{number}.example", workspace, NOW)
    assert keys.domains_used(workspace) == 5


def test_the_quota_counts_what_the_workspace_has_whoever_made_it(
    keys: ClientKeys, ledger: Ledger, workspace: int
) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    governance.create("other.example", other, NOW)
    governance.create("a.example", workspace, NOW)
    key = keys.issue(workspace, TOKEN, Terms(domains_allowed=2), NOW).id
    keys.create_domain(key, "b.example", workspace, NOW)
    with pytest.raises(QuotaExceeded) as refused:
        keys.create_domain(key, "c.example", workspace, NOW)
    assert (refused.value.used, refused.value.allowed) == (2, 2)


def test_a_domain_that_exists_uses_nothing(keys: ClientKeys, workspace: int) -> None:
    key = keys.issue(workspace, TOKEN, Terms(domains_allowed=2), NOW).id
    keys.create_domain(key, "a.example", workspace, NOW)
    with pytest.raises(AlreadyExists):
        keys.create_domain(key, "A.example", workspace, NOW)
    assert keys.domains_used(workspace) == 1


def test_many_at_once_never_pass_a_quota_and_use_it_up(keys: ClientKeys, workspace: int) -> None:
    key = keys.issue(workspace, TOKEN, Terms(domains_allowed=5), NOW).id

    def create(number: int) -> bool:
        try:
            keys.create_domain(key, f"d{number}.example", workspace, NOW)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(20)))
    assert sum(made) == keys.domains_used(workspace) == 5


class Together(ClientKeys):
    """Looks, and then waits until another process has looked, too."""

    def __init__(self, ledger: Ledger, looked: Barrier) -> None:
        super().__init__(ledger.clients, Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules()))
        self._looked = looked

    def domains_used(self, workspace: int) -> int:
        used = super().domains_used(workspace)
        self._looked.wait(PATIENCE)
        return used


def test_two_processes_that_see_the_same_last_place_do_not_both_take_it(
    ledger: Ledger, keys: ClientKeys, workspace: int
) -> None:
    key = keys.issue(workspace, TOKEN, Terms(domains_allowed=1), NOW).id
    looked = Barrier(2)

    def create(name: str) -> bool:
        try:
            Together(ledger, looked).create_domain(key, name, workspace, NOW)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(create, ["a.example", "b.example"]))
    assert sum(made) == keys.domains_used(workspace) <= 1
