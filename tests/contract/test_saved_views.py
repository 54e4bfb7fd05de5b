"""Saved views on every ledger."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.dashboard.views.store import MOST, SavedView
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


@pytest.fixture
def ann(ledger: Ledger) -> int:
    return ledger.people.add_user("ann", is_server=False, now=NOW).id


def view(number: int, workspace: int, user: int | None, name: str = "trouble", query: str = "is:failing") -> SavedView:
    return SavedView(id=f"v{number}", workspace=workspace, user=user, name=name, query=query, created_at=NOW)


def test_a_person_sees_the_own_and_those_of_all(ledger: Ledger, one: int, ann: int) -> None:
    other, bob = (
        ledger.tenants.add_workspace("other", NOW).id,
        ledger.people.add_user("bob", is_server=False, now=NOW).id,
    )
    for added in (view(1, one, ann), view(2, one, None, "Shop"), view(3, one, bob), view(4, other, ann, "elsewhere")):
        ledger.views.add(added)
    assert ledger.views.views(one, ann) == [view(2, one, None, "Shop"), view(1, one, ann)]
    assert [each.id for each in ledger.views.views(other, ann)] == ["v4"]


def test_the_same_name_is_replaced_for_the_same_owner_only(ledger: Ledger, one: int, ann: int) -> None:
    ledger.views.add(view(1, one, ann))
    ledger.views.add(view(2, one, None))
    ledger.views.add(replace(view(3, one, ann, "  trouble ", "is:bounced"), columns="at,to"))
    assert [(each.id, each.query, each.columns) for each in ledger.views.views(one, ann)] == [
        ("v2", "is:failing", ""),
        ("v3", "is:bounced", "at,to"),
    ]


def test_there_is_a_bound_and_the_owner_removes(ledger: Ledger, one: int, ann: int) -> None:
    for number in range(MOST):
        ledger.views.add(view(number, one, ann, f"view {number}"))
    with pytest.raises(InvalidInput):
        ledger.views.add(view(99, one, ann, "one more"))
    ledger.views.add(view(99, one, None, "of all"))
    for user, wanted in ((None, "v1"), (ann, "v99"), (ann, "nothing"), (ann, "\0")):
        with pytest.raises(NotFound):
            ledger.views.remove(one, user, wanted)
    ledger.views.remove(one, ann, "v1")
    assert len(ledger.views.views(one, ann)) == MOST


def test_views_go_with_their_person_and_their_workspace(ledger: Ledger, one: int, ann: int) -> None:
    ledger.views.add(view(1, one, ann))
    ledger.views.add(view(2, one, None))
    ledger.people.remove_user(ann)
    assert [each.id for each in ledger.views.views(one, ann)] == ["v2"]
    with pytest.raises(NotFound):
        ledger.views.add(view(3, one + 1000, None))
