"""Customers' keys and their terms, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.clients import ClientKey, Terms
from mailvane.server.ledger import Ledger, open_ledger

TOKEN = "emb_0123456789abcdef"
TERMS = Terms(domains_allowed=5, mailboxes_per_domain=2, aliases_per_mailbox=3, active=False, expires_at=2_000)


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", 1).id


def test_a_key_is_found_with_its_terms_by_its_secret_and_its_number(ledger: Ledger, workspace: int) -> None:
    made = ledger.clients.add_client(workspace, TOKEN, TERMS, 1_000)
    assert made == ClientKey(id=made.id, workspace=workspace, created_at=1_000, terms=TERMS, last_used_at=None)
    assert ledger.clients.client(TOKEN) == ledger.clients.client_numbered(made.id) == made
    assert ledger.clients.clients(workspace) == [made]
    assert ledger.clients.client(TOKEN + "x") is None
    assert ledger.clients.client_numbered(made.id + 1) is None


def test_it_proves_like_any_other_key_and_shows_little_of_its_secret(ledger: Ledger, workspace: int) -> None:
    made = ledger.clients.add_client(workspace, TOKEN, Terms(), 1_000)
    key = ledger.tenants.key(TOKEN)
    assert key is not None
    assert (key.id, key.kind, key.workspace, key.hint) == (made.id, KeyKind.CLIENT, workspace, "emb_")


def test_a_secret_is_taken_once_whoever_has_it(ledger: Ledger, workspace: int) -> None:
    ledger.clients.add_client(workspace, TOKEN, Terms(), 1)
    ledger.tenants.add_key(KeyKind.WORKSPACE, workspace, "sk_of_the_workspace", 1)
    for taken in (TOKEN, "sk_of_the_workspace"):
        with pytest.raises(AlreadyExists):
            ledger.clients.add_client(workspace, taken, Terms(), 2)
    assert len(ledger.clients.clients(workspace)) == 1


def test_a_key_of_a_workspace_that_is_not_there_is_not_kept(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.clients.add_client(77, TOKEN, Terms(), 1)
    assert ledger.tenants.key(TOKEN) is None


def test_a_client_key_that_was_made_without_terms_has_the_default_ones(ledger: Ledger, workspace: int) -> None:
    key = ledger.tenants.add_key(KeyKind.CLIENT, workspace, "ck_secret", 1)
    found = ledger.clients.client("ck_secret")
    assert found is not None
    assert (found.id, found.terms) == (key.id, Terms())
    changed = ledger.clients.change_client(key.id, lambda terms: msgspec.structs.replace(terms, domains_allowed=2))
    assert changed.terms == Terms(domains_allowed=2)


def test_keys_of_other_kinds_are_nobodys_client(ledger: Ledger, workspace: int) -> None:
    key = ledger.tenants.add_key(KeyKind.WORKSPACE, workspace, "sk_secret", 1)
    assert ledger.clients.client("sk_secret") is None
    assert ledger.clients.client_numbered(key.id) is None
    with pytest.raises(NotFound):
        ledger.clients.remove_client(key.id)
    assert ledger.tenants.key("sk_secret") is not None


def test_changed_terms_and_the_last_use_stay(ledger: Ledger, ledger_url: str, workspace: int) -> None:
    made = ledger.clients.add_client(workspace, TOKEN, TERMS, 1_000)
    ledger.tenants.key_used(made.id, 5_000)
    ledger.clients.change_client(made.id, lambda terms: msgspec.structs.replace(terms, active=True, expires_at=None))
    ledger.tenants.key_used(made.id, 4_000)  # told late by another process
    again = open_ledger(ledger_url)
    found = again.clients.client(TOKEN)
    again.close()
    assert found is not None
    assert found.terms == msgspec.structs.replace(TERMS, active=True, expires_at=None)
    assert found.last_used_at == 5_000


def test_a_removed_key_is_gone_and_its_secret_free(ledger: Ledger, workspace: int) -> None:
    made = ledger.clients.add_client(workspace, TOKEN, TERMS, 1)
    ledger.clients.remove_client(made.id)
    assert ledger.clients.client(TOKEN) is None
    assert ledger.tenants.key(TOKEN) is None
    with pytest.raises(NotFound):
        ledger.clients.remove_client(made.id)
    assert ledger.clients.add_client(workspace, TOKEN, Terms(), 2).id != made.id


def test_changes_made_at_once_are_all_made(ledger: Ledger, workspace: int) -> None:
    key = ledger.clients.add_client(workspace, TOKEN, Terms(), 1).id

    def one_more(_: int) -> None:
        ledger.clients.change_client(
            key, lambda terms: msgspec.structs.replace(terms, domains_allowed=terms.domains_allowed + 1)
        )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one_more, range(40)))
    found = ledger.clients.client_numbered(key)
    assert found is not None
    assert found.terms.domains_allowed == 40


def test_a_change_that_fails_changes_nothing(ledger: Ledger, workspace: int) -> None:
    key = ledger.clients.add_client(workspace, TOKEN, TERMS, 1).id

    def fails(terms: Terms) -> Terms:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ledger.clients.change_client(key, fails)
    assert ledger.clients.client(TOKEN) == ledger.clients.client_numbered(key)
    assert ledger.clients.clients(workspace)[0].terms == TERMS
