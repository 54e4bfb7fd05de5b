"""Sources, files and the dictionary of blocklists, as Mailvane's own clients ask for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.world import MASTER, NOW, World


def asked(world: World, method: str, path: str, status: int = 200, token: str = "", **more: Any) -> Any:
    headers = {"X-API-KEY": token or world.ours.token, "X-Workspace-Id": str(world.ours.workspace.id)}
    answer = world.client.request(method, f"/mailvane/v1{path}", headers=headers, **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_a_file_stands_for_what_a_source_would_say(world: World) -> None:
    lines = [{"ip": "192.0.2.1", "rbl": "bl.example", "listed": True, "at": NOW - 1000, "reason": "spam"}]
    body = "\n".join(json.dumps(line) for line in lines)
    assert asked(world, "POST", "/sources/blocklists/import", content=body) == {"count": 1}
    world.client.post("/api/v1.0/ips", json={"ip": "192.0.2.1"}, headers=world.ours.headers)
    (shown,) = world.client.get("/api/v1.0/ips", headers=world.ours.headers).json()["data"]
    assert shown["rbl_result"] == [{"lookup_host": "bl.example"}]
    (health,) = asked(world, "GET", "/sources")
    assert (health["source"], health["succeeded_at"]) == ("blocklists", NOW)


def test_a_file_that_is_not_understood_is_refused_with_its_name_and_line(world: World) -> None:
    answer = asked(world, "POST", "/sources/blocklists/import?name=feed.jsonl", 400, content="{}\n")
    assert "feed.jsonl, line 1" in answer["detail"]
    asked(world, "POST", "/sources/nobody/import", 400, content="")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("blocklists", {"ip": "192.0.2.1", "rbl": "bl.example", "listed": True, "at": NOW + 3 * 86_400_000}),
        ("traps", {"ip": "192.0.2.1", "timestamp": NOW + 3 * 86_400_000}),
        ("postmaster", {"name": "domains/shop.example/trafficStats/20990101"}),
    ],
)
def test_what_tells_of_the_future_is_refused(world: World, source: str, line: dict[str, Any]) -> None:
    answer = asked(world, "POST", f"/sources/{source}/import", 400, content=json.dumps(line))
    assert "lies in the future" in answer["detail"]


def test_a_source_is_asked_now(world: World) -> None:
    world.client.post("/api/v1.0/ips", json={"ip": "192.0.2.1"}, headers=world.ours.headers)
    assert asked(world, "POST", "/sources/blocklists/run") == {"count": 1}
    assert asked(world, "POST", "/sources/run") == {"counts": {"blocklists": 1}}
    asked(world, "POST", "/sources/run", 400)
    asked(world, "POST", "/sources/blocklists/run", 404, json={"ids": ["nothing"]})


def test_only_the_operator_changes_the_dictionary(world: World) -> None:
    asked(world, "PUT", "/blocklists/bl.example", 403, json={"high_reputation": True})
    asked(world, "PUT", "/blocklists/bl.example", token=MASTER, json={"high_reputation": True})
    known = {each["zone"]["host"]: each for each in asked(world, "GET", "/blocklists")}
    assert known["bl.example"]["zone"]["high_reputation"] is True
    assert known["bl.example"]["health"] is None
    asked(world, "DELETE", "/blocklists/bl.example", 204, token=MASTER)
    asked(world, "DELETE", "/blocklists/bl.example", 404, token=MASTER)
    asked(world, "PUT", "/blocklists/bl.example", 400, token=MASTER, json={"lists": ["names"]})
    for page, status in (("https://bl.example/remove", 200), ("javascript:alert(1)", 400), ("https://x y", 400)):
        asked(world, "PUT", "/blocklists/bl.example", status, token=MASTER, json={"removal": page})


@pytest.mark.parametrize(
    "body",
    [
        {"codes": {"nonsense": "listed"}},
        {"codes": {"&256": "listed"}},
        {"codes": {"&": "listed"}},
        {"refusals": ["127.0.0.256"]},
        {"harmless": ["127.0.0.1/24"]},
    ],
)
def test_an_answer_that_no_blocklist_can_give_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = asked(world, "PUT", "/blocklists/bl.example", 400, token=MASTER, json=body)
    assert answer["detail"].startswith(f"{next(iter(body))}.")


def test_answers_are_addresses_networks_and_bits(world: World) -> None:
    body = {"codes": {"127.0.0.2": "a", "127.0.1.0/24": "b", "&8": "c"}, "refusals": ["127.0.0.1"]}
    asked(world, "PUT", "/blocklists/bl.example", token=MASTER, json=body)


@pytest.mark.parametrize("url", ["https://hooks.example:99999/x", "https://hooks.example/" + "x" * 2000])
def test_an_address_of_slack_that_cannot_be_asked_is_refused(world: World, url: str) -> None:
    asked(world, "POST", "/slack-integrations", 400, json={"name": "ops", "url": url})


def test_only_the_operator_approves_what_is_looked_for_in_traps(world: World) -> None:
    answer = world.client.post("/api/v1.0/traps", json={"ip": "192.0.2.1"}, headers=world.ours.headers)
    (trap,) = answer.json()["data"]
    assert (trap["ip"], trap["domain"], trap["verified"]) == ("192.0.2.1", None, False)
    asked(world, "POST", f"/traps/{trap['id']}/approve", 403)
    asked(world, "POST", f"/traps/{trap['id']}/approve", 204, token=MASTER)
    answer = world.client.get(f"/api/v1.0/traps/{trap['id']}", headers=world.ours.headers)
    assert answer.json()["data"][0]["verified"] is True
