"""Rows of the table of routes: what a function is given, and what becomes of its reply."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import KeyKind, Principal
from mailvane.web.endpoints import Asked, Endpoint


def asked(principal: Principal) -> Asked:
    return Asked(principal, {}, {}, b"", 0)


def test_who_asked_is_told_for_what_is_written_down() -> None:
    assert asked(Principal(KeyKind.MASTER, 1)).by == "master token"
    assert asked(Principal(KeyKind.WORKSPACE, 1, 7)).by == "key 7"


def test_a_key_of_several_workspaces_must_name_one() -> None:
    assert asked(Principal(KeyKind.MASTER, 3)).workspace == 3
    with pytest.raises(InvalidInput, match="X-Workspace-Id"):
        _ = asked(Principal(KeyKind.MASTER, None)).workspace


def test_what_removes_answers_nothing_unless_it_says_otherwise() -> None:
    row = Endpoint("delete", "/x", "x", "", lambda _services, _asked: None, None)
    assert row.success == 204
    assert Endpoint("post", "/x", "x", "", lambda _services, _asked: None, None, status=201).success == 201
