"""Workspaces, relays and keys, and what a presented key proves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, InvalidInput, KeyExpired, NotAllowed, NotAuthenticated, NotFound
from mailvane.core.tenants.model import KeyKind, Price, Principal
from mailvane.core.tenants.service import Tenancy
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
MASTER = "mk_master"
MINUTE = 60_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def tenancy(ledger: Ledger) -> Tenancy:
    return Tenancy(ledger.tenants, MASTER)


def test_a_workspace_is_found_by_its_name(tenancy: Tenancy) -> None:
    made = tenancy.create_workspace("  Acme Ltd ", NOW)
    assert made.name == "Acme Ltd"
    assert tenancy.workspace("Acme Ltd") == made
    assert tenancy.workspaces() == [made]
    with pytest.raises(NotFound, match="acme ltd"):
        tenancy.workspace("acme ltd")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "x" * 201, "\u202eabc"])
def test_a_workspace_needs_a_name_that_can_be_shown(tenancy: Tenancy, name: str) -> None:
    with pytest.raises(InvalidInput):
        tenancy.create_workspace(name, NOW)
    assert tenancy.workspaces() == []


def test_a_workspace_that_is_needed_is_made_once_by_whoever_comes_first(tenancy: Tenancy) -> None:
    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(lambda _: tenancy.ensure_workspace("acme", NOW).id, range(12)))
    assert len(found) == 1
    with pytest.raises(AlreadyExists):
        tenancy.create_workspace("acme", NOW)


def test_retention_is_kept_with_the_workspace(tenancy: Tenancy) -> None:
    tenancy.create_workspace("acme", NOW)
    assert tenancy.keep("acme", 90).retention_days == 90
    assert tenancy.workspace("acme").retention_days == 90
    for days in (-1, 10**6):
        with pytest.raises(InvalidInput):
            tenancy.keep("acme", days)


def test_the_first_active_relay_answers_when_none_is_named(tenancy: Tenancy) -> None:
    workspace = tenancy.create_workspace("acme", NOW).id
    with pytest.raises(NotFound, match="no active relay: create one with `mailvane relay create`"):
        tenancy.relay_of(workspace)
    first, second = (tenancy.create_relay(workspace, comment, NOW) for comment in ("one", "two"))
    assert tenancy.relay_of(workspace) == first
    assert tenancy.relay_of(workspace, second.id) == second
    tenancy.change_relay(msgspec.structs.replace(first, active=False))
    assert tenancy.relay_of(workspace) == second
    assert tenancy.active_relays(workspace) == [second]
    assert [relay.id for relay in tenancy.relays(workspace)] == [first.id, second.id]
    with pytest.raises(NotFound):
        tenancy.relay_of(workspace, first.id)


def test_a_relay_of_another_workspace_is_not_there(tenancy: Tenancy) -> None:
    mine, theirs = (tenancy.create_workspace(name, NOW).id for name in ("mine", "theirs"))
    relay = tenancy.create_relay(theirs, "", NOW)
    tenancy.create_relay(mine, "", NOW)
    with pytest.raises(NotFound):
        tenancy.relay_of(mine, relay.id)
    assert tenancy.relay(relay.id) == relay
    with pytest.raises(NotFound):
        tenancy.relay(99)


@pytest.mark.parametrize(
    "change",
    [
        {"billing_day": 0},
        {"billing_day": 29},
        {"comment": "two\nlines"},
        {"price": Price(base=Decimal(-1))},
        {"price": Price(per_thousand=Decimal("NaN"))},
        {"price": Price(base=Decimal("1E+30"))},
        {"price": Price(currency="usd")},
        {"price": Price(currency="US$")},
    ],
)
def test_an_impossible_change_of_a_relay_is_refused(tenancy: Tenancy, change: dict[str, object]) -> None:
    relay = tenancy.create_relay(tenancy.create_workspace("acme", NOW).id, "", NOW)
    with pytest.raises(InvalidInput):
        tenancy.change_relay(msgspec.structs.replace(relay, **change))
    assert tenancy.relay(relay.id) == relay


def test_each_kind_of_key_opens_what_it_should(tenancy: Tenancy) -> None:
    one, two = (tenancy.create_workspace(name, NOW).id for name in ("one", "two"))
    workspace = tenancy.create_key(KeyKind.WORKSPACE, one, NOW)
    client = tenancy.create_key(KeyKind.CLIENT, two, NOW)
    platform = tenancy.create_key(KeyKind.PLATFORM, None, NOW)
    assert workspace.token.startswith("sk_")
    assert not workspace.token.startswith("sk_user_")
    assert platform.token.startswith("sk_user_")
    assert client.token.startswith("ck_")
    assert tenancy.authenticate(workspace.token, NOW) == Principal(KeyKind.WORKSPACE, one, workspace.key.id)
    assert tenancy.authenticate(workspace.token, NOW, str(one)).workspace == one
    assert tenancy.authenticate(client.token, NOW) == Principal(KeyKind.CLIENT, two, client.key.id)
    assert tenancy.authenticate(platform.token, NOW) == Principal(KeyKind.PLATFORM, None, platform.key.id)
    assert tenancy.authenticate(platform.token, NOW, str(two)) == Principal(KeyKind.PLATFORM, two, platform.key.id)
    assert tenancy.authenticate(MASTER, NOW) == Principal(KeyKind.MASTER, None)
    assert tenancy.authenticate(MASTER, NOW, str(one)) == Principal(KeyKind.MASTER, one)


def test_a_key_does_not_open_another_workspace(tenancy: Tenancy) -> None:
    one, two = (tenancy.create_workspace(name, NOW).id for name in ("one", "two"))
    for kind in (KeyKind.WORKSPACE, KeyKind.CLIENT):
        with pytest.raises(NotAllowed):
            tenancy.authenticate(tenancy.create_key(kind, one, NOW).token, NOW, str(two))


def test_a_workspace_that_is_not_there_cannot_be_chosen(tenancy: Tenancy) -> None:
    with pytest.raises(NotFound):
        tenancy.authenticate(MASTER, NOW, "1")
    for text in ("acme", "-1", "1.0", "\u0661", "9" * 30, " 1"):
        with pytest.raises(InvalidInput):
            tenancy.authenticate(MASTER, NOW, text)


@pytest.mark.parametrize("token", ["", "x", "sk_", "mk_maste", "mk_master ", "MK_MASTER", "\udc80", "\x00", "é" * 5000])
def test_an_unknown_token_proves_nothing(tenancy: Tenancy, token: str) -> None:
    tenancy.create_key(KeyKind.WORKSPACE, tenancy.create_workspace("acme", NOW).id, NOW)
    with pytest.raises(NotAuthenticated):
        tenancy.authenticate(token, NOW)


def test_without_a_master_token_nobody_is_master(ledger: Ledger) -> None:
    with pytest.raises(NotAuthenticated):
        Tenancy(ledger.tenants, "").authenticate("", NOW)


def test_keys_belong_where_they_must(tenancy: Tenancy) -> None:
    workspace = tenancy.create_workspace("acme", NOW).id
    for kind, owner in ((KeyKind.PLATFORM, workspace), (KeyKind.WORKSPACE, None), (KeyKind.MASTER, None)):
        with pytest.raises(InvalidInput):
            tenancy.create_key(kind, owner, NOW)
    with pytest.raises(NotFound):
        tenancy.create_key(KeyKind.WORKSPACE, 99, NOW)


def test_no_two_keys_are_alike(tenancy: Tenancy) -> None:
    assert len({tenancy.create_key(KeyKind.PLATFORM, None, NOW).token for _ in range(20)}) == 20


def test_the_last_use_of_a_key_of_any_kind_is_kept_to_the_minute(tenancy: Tenancy) -> None:
    one = tenancy.create_workspace("one", NOW).id
    for kind, workspace in ((KeyKind.WORKSPACE, one), (KeyKind.CLIENT, one), (KeyKind.PLATFORM, None)):
        issued = tenancy.create_key(kind, workspace, NOW)
        used = [tenancy.key(issued.key.id).last_used_at]
        for later in (0, MINUTE - 1, MINUTE, 2 * MINUTE - 1):
            tenancy.authenticate(issued.token, NOW + later)
            used.append(tenancy.key(issued.key.id).last_used_at)
        assert used == [None, NOW, NOW, NOW + MINUTE, NOW + MINUTE]


def test_a_key_opens_until_it_expires_and_until_it_is_revoked(tenancy: Tenancy) -> None:
    one = tenancy.create_workspace("one", NOW).id
    issued = tenancy.create_key(KeyKind.WORKSPACE, one, NOW, NOW + 10)
    tenancy.authenticate(issued.token, NOW + 9)
    with pytest.raises(KeyExpired):
        tenancy.authenticate(issued.token, NOW + 10)
    assert tenancy.expire_key(issued.key.id, None, NOW).expires_at is None
    tenancy.authenticate(issued.token, NOW + 10)
    tenancy.revoke_key(issued.key.id)
    with pytest.raises(NotAuthenticated):
        tenancy.authenticate(issued.token, NOW + 10)
    for act in (lambda: tenancy.revoke_key(issued.key.id), lambda: tenancy.expire_key(issued.key.id, None, NOW)):
        with pytest.raises(NotFound, match="there is no key"):
            act()


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1, 0, -1, 2**62])
def test_a_key_expires_at_a_time_to_come(tenancy: Tenancy, expires_at: int) -> None:
    one = tenancy.create_workspace("one", NOW).id
    with pytest.raises(InvalidInput):
        tenancy.create_key(KeyKind.WORKSPACE, one, NOW, expires_at)
    assert tenancy.keys() == []


def test_keys_are_listed_for_one_workspace_or_all(tenancy: Tenancy) -> None:
    one, two = (tenancy.create_workspace(name, NOW).id for name in ("one", "two"))
    made = [
        tenancy.create_key(kind, workspace, NOW).key
        for kind, workspace in ((KeyKind.WORKSPACE, one), (KeyKind.PLATFORM, None), (KeyKind.CLIENT, two))
    ]
    assert tenancy.keys() == made
    assert tenancy.keys(one) == made[:1]
    assert tenancy.key(made[0].id, one) == made[0]
    for key, workspace in ((made[0].id, two), (made[1].id, one), (2**40, None)):
        with pytest.raises(NotFound):
            tenancy.key(key, workspace)
