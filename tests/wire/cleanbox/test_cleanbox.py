"""What a client of the Cleanbox API asks, and what it gets."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mailvane.core.identifiers import ordered_uuid
from mailvane.core.tenants.model import KeyKind
from mailvane.inbound.model import ContactState, InboundDomain, MessageStatus, NextHop, Team
from tests.wire.inbound import DAY, addresses, message, taken_in
from tests.wire.world import NOW, World


def asked(world: World, method: str, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
    token = world.ours.token if key is None else key
    return world.client.request(method, f"/v1{path}", headers={"Authorization": f"Bearer {token}"}, json=json)


@pytest.fixture
def ours(world: World) -> World:
    """Three held, two failed, one denied and twenty-six delivered."""
    stores, workspace = world.ledger.inbound, world.ours.workspace.id
    addresses(stores, workspace, "in.example", NOW - DAY)
    kept = {"content": "ab" * 32, "expires_at": NOW + DAY}
    taken_in(
        stores, workspace, NOW,
        *(
            message(
                workspace, NOW - 1000 - each, status=MessageStatus.QUARANTINED, score=5.5, reason="score 5.5 of 4",
                symbols='[{"name": "BAYES_SPAM", "score": 5.5}]', from_address=f"spam{each}@y.example", **kept,
            )
            for each in range(3)
        ),
        *(
            message(workspace, NOW - 2000 - each, status=MessageStatus.FAILED, reply="552 full", content="cd" * 32)
            for each in range(2)
        ),
        message(workspace, NOW - 3000, status=MessageStatus.DENIED),
        *(message(workspace, NOW - 4000 - each, delivered_at=NOW) for each in range(26)),
    )  # fmt: skip
    return world


def test_an_empty_team_has_no_page_of_anything(world: World) -> None:
    for path in ("/quarantine", "/messages?status=failed", "/messages?status=denied", "/contacts", "/addresses"):
        answer = asked(world, "GET", f"{path}{'&' if '?' in path else '?'}per_page=1").json()
        assert (answer["data"], answer["total_pages"], answer["total"]) == ([], 0, 0), path
    team = asked(world, "GET", "/team").json()
    assert team["usage"] == {"weekly_used": 0, "weekly_limit": 0, "week_started_at": "2024-01-15T00:00:00.000Z"}
    assert team["limits"]["aliases"] == {"used": 0, "limit": 0}


def test_a_team_says_what_it_uses(ours: World) -> None:
    ours.ledger.inbound.teams.save_team(Team(workspace=ours.ours.workspace.id, weekly_limit=40, aliases_limit=5))
    team = asked(ours, "GET", "/team").json()
    assert (team["usage"]["weekly_used"], team["usage"]["weekly_limit"]) == (32, 40)
    assert team["limits"] == {
        "aliases": {"used": 1, "limit": 5}, "mailboxes": {"used": 1, "limit": 0}, "domains": {"used": 1, "limit": 0},
    }  # fmt: skip
    assert asked(ours, "GET", "/team/subscription").json()["specifications"]["weekly_limit"] == 40
    assert asked(ours, "GET", "/domains").json()["data"][0]["name"] == "in.example"
    assert asked(ours, "GET", "/relay").json()["total_pages"] == 0
    assert asked(ours, "GET", "/cloud").json() == {"used_bytes": 500, "limit_bytes": 0}


@pytest.mark.parametrize(
    ("path", "pages", "rows"),
    [
        ("/quarantine?per_page=1", 3, 1),
        ("/quarantine", 1, 3),
        ("/messages?status=failed&per_page=1", 2, 1),
        ("/messages?status=denied,failed&per_page=2", 2, 2),
        ("/messages", 2, 25),
        ("/messages?page=2", 2, 7),
        ("/messages?page=99", 2, 0),
        ("/messages?per_page=5000", 1, 32),
        ("/messages?q=HELLO&per_page=32", 1, 32),
        ("/messages?from=spam1@y.example", 1, 1),
        ("/messages?to=nobody@in.example", 0, 0),
        ("/messages?contact=spam1@y.example", 1, 1),
        ("/messages?address=nobody@in.example", 0, 0),
        ("/contacts?per_page=2", 2, 2),
        ("/contacts?state=blocked", 0, 0),
        ("/addresses?type=alias", 1, 1),
    ],
)
def test_a_list_tells_exactly_how_long_it_is(ours: World, path: str, pages: int, rows: int) -> None:
    answer = asked(ours, "GET", path).json()
    assert (answer["total_pages"], len(answer["data"])) == (pages, rows)


def test_contacts_are_sorted_by_how_much_they_send(ours: World) -> None:
    data = asked(ours, "GET", "/contacts?sort=emailCount&dir=desc&per_page=5").json()["data"]
    assert data[0] | {"uuid": ""} == {
        "uuid": "", "email": "s@y.example", "name": "Sue", "state": "unset", "category": None, "email_count": 29,
        "first_seen_at": "2024-01-17T20:30:42.975Z", "last_seen_at": "2024-01-17T20:30:43.000Z", "subscriptions": [],
    } | {name: data[0][name] for name in ("first_seen_at", "last_seen_at")}  # fmt: skip
    assert [each["email_count"] for each in data] == [29, 1, 1, 1]


def test_what_is_held_says_why(ours: World) -> None:
    held = asked(ours, "GET", "/quarantine").json()["data"][0]
    assert (held["spam_score"], held["reason"], held["symbols"]) == (5.5, "score 5.5 of 4", ["BAYES_SPAM"])
    assert held["contact"]["state"] == "unset"
    assert asked(ours, "GET", f"/quarantine/{held['uuid']}").json() == held
    assert asked(ours, "GET", f"/messages/{held['uuid']}").json()["status"] == "quarantined"
    assert asked(ours, "GET", f"/messages/{held['uuid']}/raw").status_code == 404


def test_rejecting_denies_each_once_and_says_what_it_could_not_do(ours: World) -> None:
    one, two = (each["uuid"] for each in asked(ours, "GET", "/quarantine?per_page=2").json()["data"])
    answer = asked(ours, "POST", "/quarantine/reject", {"uuids": [one, one, "nothing"], "block_contact": True}).json()
    assert answer == {
        "rejected": 1, "data": [{"uuid": one, "status": "denied"}],
        "failed": [{"uuid": "nothing", "code": "not_found", "message": "There is no such message."}],
    }  # fmt: skip
    again = asked(ours, "POST", "/quarantine/reject", {"uuid": one}).json()
    assert [each["code"] for each in again["failed"]] == ["not_quarantined"]
    blocked = asked(ours, "GET", "/contacts?state=blocked").json()["data"]
    assert [each["email"] for each in blocked] == ["spam0@y.example"]
    assert asked(ours, "DELETE", f"/quarantine/{two}").status_code == 204
    assert asked(ours, "GET", f"/quarantine/{two}").status_code == 404


def test_a_contact_is_changed_by_id_or_by_address(ours: World) -> None:
    changed = asked(ours, "PUT", "/contacts/spam1@y.example", {"state": "blocked", "delete_messages": True})
    assert changed.json()["state"] == ContactState.BLOCKED
    assert asked(ours, "GET", "/messages?from=spam1@y.example").json()["total"] == 0
    by_id = asked(ours, "PUT", f"/contacts/{changed.json()['uuid']}", {"state": "whitelisted"})
    assert by_id.json()["state"] == "whitelisted"
    assert asked(ours, "PUT", "/contacts/nobody@y.example", {"state": "blocked"}).status_code == 404


def test_an_address_is_made_changed_and_removed(ours: World) -> None:
    mailbox = asked(ours, "GET", "/addresses?type=mailbox").json()["data"][0]["uuid"]
    made = asked(ours, "POST", "/addresses", {"domain": "in.example", "mailbox": mailbox, "label": "One-off"})
    assert (made.status_code, made.json()["type"], made.json()["active"]) == (201, "alias", True)
    path = f"/addresses/{made.json()['uuid']}"
    changed = asked(ours, "PUT", path, {"active": False, "quarantine_threshold": 4, "reject_threshold": None})
    assert (changed.json()["active"], changed.json()["quarantine_threshold"]) == (False, 4.0)
    assert asked(ours, "DELETE", path).status_code == 204
    assert asked(ours, "DELETE", path).status_code == 404
    named = {"local_part": "shop", "domain": "in.example", "mailbox": mailbox}
    assert asked(ours, "POST", "/addresses", named).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/messages?status=lost", None, "status"),
        ("GET", "/contacts?sort=size", None, "sort"),
        ("GET", "/contacts?dir=up", None, "dir"),
        ("GET", "/contacts?state=denied", None, "state"),
        ("GET", "/messages?page=0", None, "page"),
        ("GET", "/messages?per_page=-1", None, "per_page"),
        ("POST", "/quarantine/accept", {}, "uuids"),
        ("POST", "/quarantine/accept", {"uuids": []}, "uuids"),
        ("POST", "/quarantine/accept", {"uuids": "all"}, "uuids"),
        ("POST", "/quarantine/reject", {"uuids": [str(each) for each in range(101)]}, "uuids"),
        ("PUT", "/contacts/x@y.example", {"state": "denied"}, "state"),
        ("POST", "/addresses", {"domain": "other.example"}, "domain"),
        ("POST", "/addresses", {"domain": "in.example", "type": "shared"}, "type"),
        ("POST", "/addresses", {"domain": "in.example", "mailbox": "none"}, "mailbox"),
    ],
)
def test_what_is_wrong_is_named(ours: World, method: str, path: str, body: Any, field: str) -> None:
    answer = asked(ours, method, path, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "validation_failed"
    assert list(answer.json()["error"]["fields"]) == [field]


def test_errors_have_the_vendors_shape(ours: World) -> None:
    assert asked(ours, "GET", "/team", key="cb_unknown").json()["error"]["code"] == "unauthorized"
    assert asked(ours, "GET", "/messages/none").json() == {
        "error": {"code": "not_found", "message": "There is no such message."}
    }
    client = ours.services.tenancy.create_key(KeyKind.CLIENT, ours.ours.workspace.id, NOW).token
    assert asked(ours, "GET", "/team", key=client).status_code in {401, 403}
    raw = ours.client.post("/v1/quarantine/accept", headers=ours.ours.headers, content=b"{")
    assert (raw.status_code, raw.json()["error"]["code"]) == (400, "bad_request")


def test_domains_and_relays_come_in_pages_too(world: World) -> None:
    workspace, stores = world.ours.workspace.id, world.ledger.inbound
    for name in ("b.example", "a.example", "c.example"):
        hop = NextHop("127.0.0.1", 2525)
        stores.domains.add(
            InboundDomain(id=ordered_uuid(NOW), workspace=workspace, name=name, hop=hop, unlisted="pass")
        )
    for path, field in (("/domains", "name"), ("/relay", "domain")):
        second = asked(world, "GET", f"{path}?per_page=1&page=2").json()
        assert (second["total"], second["total_pages"], second["per_page"]) == (3, 3, 1)
        assert [one[field] for one in second["data"]] == ["b.example"]
        assert asked(world, "GET", f"{path}?per_page=2&page=9").json()["data"] == []
        assert len(asked(world, "GET", path).json()["data"]) == 3
        assert asked(world, "GET", f"{path}?per_page=0").status_code == 422
