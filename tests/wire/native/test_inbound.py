"""Inbound mail in Mailvane's own interface: where it comes from, and filters."""

from __future__ import annotations

from typing import Any

import httpx

from tests.wire.inbound import DAY, addresses
from tests.wire.world import NOW, World


def asked(world: World, method: str, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or world.ours.token}"}
    return world.client.request(method, f"/mailvane/v1/inbound{path}", headers=headers, json=json)


def test_it_says_where_mail_comes_from(world: World) -> None:
    found = asked(world, "GET", "").json()
    assert (found["source"], found["domains"]) == ("log", [])
    assert "nothing in it can be held" in found["why_nothing_is_held"]
    addresses(world.ledger.inbound, world.ours.workspace.id, "in.example", NOW - DAY)
    assert asked(world, "GET", "").json() == {
        "source": "gateway", "domains": ["in.example"], "why_nothing_is_held": "",
    }  # fmt: skip


def test_a_filter_is_added_switched_moved_and_removed(world: World) -> None:
    body = {"name": "offers", "action": "deny", "if": ["from ends_with @offers.example"]}
    made = asked(world, "POST", "/filters", body)
    assert made.status_code == 201
    assert (made.json()["position"], made.json()["active"]) == (1, True)
    other = asked(world, "POST", "/filters", body | {"name": "friends", "action": "allow", "active": False}).json()
    one = f"/filters/{made.json()['id']}"
    assert asked(world, "PUT", one, {"active": False}).json()["active"] is False
    assert asked(world, "PUT", one, {"position": 2, "name": "bids"}).json()["position"] == 2
    listed = asked(world, "GET", "/filters").json()
    assert [(each["name"], each["active"], each["when"]) for each in listed] == [
        ("friends", False, "from ends_with @offers.example"), ("bids", False, "from ends_with @offers.example"),
    ]  # fmt: skip
    assert asked(world, "DELETE", one).status_code == 204
    assert asked(world, "PUT", one, {"active": True}).status_code == 404
    assert [each["id"] for each in asked(world, "GET", "/filters").json()] == [other["id"]]
    entries = world.ledger.inbound.audit.page(world.ours.workspace.id, 0, 9).entries
    assert [each.detail for each in entries] == [
        "removed", "moved to 2", "renamed to bids", "disabled", "created", "created",
    ]  # fmt: skip


def test_what_is_no_filter_is_refused(world: World) -> None:
    good = {"name": "offers", "action": "deny", "if": ["from ends_with @offers.example"]}
    refused: list[dict[str, Any]] = [
        {"if": []},
        {"action": "burn"},
        {"name": ""},
        {"if": ["from like x"]},
        {"position": -1},
    ]
    for bad in refused:
        assert asked(world, "POST", "/filters", good | bad).status_code == 400, bad
    assert asked(world, "POST", "/filters", good | {"address": "no@in.example"}).status_code == 404
    assert asked(world, "PUT", "/filters/nothing", {"active": True}).status_code == 404
    made = asked(world, "POST", "/filters", good).json()
    assert asked(world, "PUT", f"/filters/{made['id']}", {"position": 0}).status_code == 400


def test_nobody_changes_what_is_another_teams(world: World) -> None:
    body = {"name": "offers", "action": "deny", "if": ["from ends_with @offers.example"]}
    made = asked(world, "POST", "/filters", body).json()
    for method, given in (("PUT", {"active": False}), ("DELETE", None)):
        assert asked(world, method, f"/filters/{made['id']}", given, key=world.theirs.token).status_code == 404
    assert asked(world, "GET", "/filters", key=world.theirs.token).json() == []
