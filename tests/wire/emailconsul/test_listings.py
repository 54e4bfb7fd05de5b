"""Addresses, domains, profiles and the dictionary as a client of the EmailConsul API sees them."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from tests.wire.world import NOW, World

HOUR = 3_600_000


def get(world: World, path: str, **query: Any) -> Any:
    answer = world.client.get(f"/api/v1.0{path}", params=query, headers=world.ours.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(world: World, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = world.client.post(f"/api/v1.0{path}", json=body, headers=world.ours.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def told(world: World, at: int, listed: bool) -> None:
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset="192.0.2.1", key="bl.example", at=at, seen_at=at, data={"listed": listed}
    )
    refresh = Refresh(
        source=Source.BLOCKLISTS, kind=AssetKind.IP, asset="192.0.2.1", at=at, observations=(said,),
        details={"wrong_rdns": True},
    )  # fmt: skip
    world.services.reputation.watched_assets.record(world.ours.workspace.id, [refresh], at)


def test_addresses_are_watched_one_several_or_by_network(world: World) -> None:
    post(world, "/ips", {"ip": "192.0.2.1"})
    added = post(world, "/ips", {"ips": ["192.0.2.0/31", "2001:DB8::1"]})
    assert [one["ip"] for one in added["data"]] == ["192.0.2.0", "192.0.2.1", "2001:db8::1"]
    page = get(world, "/ips", ip="192.0", limit=1, sort="-name")
    assert ([one["ip"] for one in page["data"]], page["meta"]["count"]) == (["192.0.2.1"], 2)
    assert page["data"][0]["status"] == "WAITING"


def test_a_listing_is_shown_and_its_history_told(world: World) -> None:
    (watched,) = post(world, "/ips", {"ip": "192.0.2.1"})["data"]
    told(world, NOW - 2 * HOUR, listed=True)
    (shown,) = get(world, f"/ips/{watched['id']}")["data"]
    assert (shown["blacklisted"], shown["rbl_result"], shown["wrong_rdns"], shown["status"]) == (
        True,
        [{"lookup_host": "bl.example"}],
        True,
        "UPDATED",
    )
    told(world, NOW - HOUR, listed=False)
    assert get(world, f"/ips/{watched['id']}")["data"][0]["blacklisted"] is False
    assert get(world, f"/ips/{watched['id']}/rbl_changes_log") == {
        "data": {
            "ip": "192.0.2.1",
            "data": [
                {"host": "bl.example", "status": "RESOLVED", "created_at": "2024-01-17T19:30:45.000Z"},
                {"host": "bl.example", "status": "BLACKLISTED", "created_at": "2024-01-17T18:30:45.000Z"},
            ],
        }
    }
    post(world, f"/ips/{watched['id']}/refresh", {}, 200)
    assert get(world, f"/ips/{watched['id']}")["data"][0]["status"] == "WAITING"


@pytest.mark.parametrize(
    ("path", "kind", "name"), [("/ips", "ip", "192.0.2.1"), ("/domains", "domain", "shop.example")]
)
def test_what_no_blocklist_answered_for_is_neither_listed_nor_clear(
    world: World, path: str, kind: str, name: str
) -> None:
    (watched,) = post(world, path, {kind: name})["data"]
    assert (watched["blacklisted"], watched["rbl_result"], watched["rbl_unknown"]) == (None, [], [])

    def refreshed(at: int, error: str, **details: Any) -> Any:
        refresh = Refresh(
            source=Source.BLOCKLISTS, kind=AssetKind(kind), asset=name, at=at, error=error, details=details
        )
        world.services.reputation.watched_assets.record(world.ours.workspace.id, [refresh], at)
        (found,) = get(world, f"{path}/{watched['id']}")["data"]
        return found["status"], found["blacklisted"], [one["lookup_host"] for one in found["rbl_unknown"]]

    assert refreshed(NOW - 80 * HOUR, "no blocklist answers") == ("FAILED", None, [])
    assert refreshed(NOW - 60 * HOUR, "", rbl_answered=0, rbl_unknown=[]) == ("UPDATED", None, [])
    assert refreshed(NOW - 49 * HOUR, "", rbl_answered=1, rbl_unknown=["a.example"]) == ("UPDATED", None, ["a.example"])
    assert refreshed(NOW - 47 * HOUR, "", rbl_answered=2, rbl_unknown=[]) == ("UPDATED", False, [])
    assert refreshed(NOW, "no blocklist answers")[:2] == ("FAILED", False), "what was known stays so for 48 hours"


def test_domains_are_watched_by_profile_and_no_longer(world: World) -> None:
    profile = post(world, "/profiles", {"name": "clients"})
    (watched,) = post(world, "/domains", {"domain": "News.Example", "profile_id": profile["id"]})["data"]
    post(world, "/domains", {"domains": ["other.example"]})
    assert (watched["domain"], watched["profile_id"]) == ("news.example", profile["id"])
    assert [one["domain"] for one in get(world, "/domains", profile_id=profile["id"])["data"]] == ["news.example"]
    path = f"/api/v1.0/domains/{watched['id']}"
    assert world.client.delete(path, headers=world.ours.headers).status_code == 204
    assert world.client.delete(path, headers=world.ours.headers).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/ips", {"ips": ["192.0.2.1", "nonsense"]}, {"ips[1]"}),
        ("/ips", {}, {"names"}),
        ("/ips", {"ip": "10.0.0.0/8"}, {"ip"}),
        ("/ips", {"ip": "192.0.2.1", "profile_id": "none"}, {"profile_id"}),
        ("/domains", {"domain": "192.0.2.1"}, {"domain"}),
        ("/domains", {"domains": "a.example"}, {"domains"}),
        ("/profiles", {"name": " "}, {"name"}),
    ],
)
def test_what_cannot_be_watched_is_refused(world: World, path: str, body: dict[str, Any], fields: set[str]) -> None:
    assert {one["field"] for one in post(world, path, body, 400)["errors"]} == fields


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"offset": "-1"}, {"sort": "colour"}])
def test_a_page_that_cannot_be_is_refused(world: World, query: dict[str, str]) -> None:
    answer = world.client.get("/api/v1.0/ips", params=query, headers=world.ours.headers)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (400, list(query))


def test_profiles_are_renamed_and_removed(world: World) -> None:
    made = post(world, "/profiles", {"name": "b"})
    post(world, "/profiles", {"name": "b"}, 409)
    path = f"/api/v1.0/profiles/{made['id']}"
    assert world.client.put(path, json={"name": "a"}, headers=world.ours.headers).json()["name"] == "a"
    assert [one["name"] for one in get(world, "/profiles")["data"]] == ["a"]
    assert world.client.delete(path, headers=world.ours.headers).status_code == 204
    assert world.client.put(path, json={"name": "a"}, headers=world.ours.headers).status_code == 404


def test_the_dictionary_is_the_same_under_both_paths(world: World) -> None:
    rows = get(world, "/checkers/rbl_dictionary")["data"]
    assert rows == get(world, "/epc/rbl_dictionary")["data"]
    assert {"host": "zen.spamhaus.org", "type": "ips", "is_high_reputation": True} in rows
    assert {row["type"] for row in get(world, "/epc/rbl_dictionary", type="domains")["data"]} == {"domains"}
    answer = world.client.get("/api/v1.0/epc/rbl_dictionary", params={"type": "x"}, headers=world.ours.headers)
    assert answer.status_code == 400


def test_addresses_come_from_a_csv_file(world: World) -> None:
    headers = world.ours.headers | {"Content-Type": "text/csv"}
    text = "\ufeffip,comment\r\n192.0.2.1,first\r\n\r\n192.0.2.2/31,\r\n"
    answer = world.client.post("/api/v1.0/ips/import", content=text.encode(), headers=headers)
    assert [one["ip"] for one in answer.json()["data"]] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    wrong = world.client.post("/api/v1.0/domains/import", content=b"one.example\nnot a domain\n", headers=headers)
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "line 2"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/ips", {"ip": "x"}, ["ip"]),
        ("/ips", {"ip": "192.0.2.1", "ips": ["192.0.2.2", "y"]}, ["ips[1]"]),
        ("/domains", {"domains": ["a b", "shop.example", "c d"]}, ["domains[0]", "domains[2]"]),
        ("/traps", {"ips": ["192.0.2.1"], "domain": "x y"}, ["domain"]),
        ("/honeytoken", {"email": "nobody"}, ["email"]),
        ("/snds/creds", {"key": "abcd-1234", "name": "a\nb"}, ["name"]),
    ],
)
def test_a_name_that_is_none_is_complained_about_where_it_stands(
    world: World, path: str, body: dict[str, Any], fields: list[str]
) -> None:
    answer = post(world, path, body, 400)
    assert [one["field"] for one in answer["errors"]] == fields


def test_a_line_of_a_file_that_is_none_is_named(world: World) -> None:
    answer = world.client.post("/api/v1.0/ips/import", content=b"ip\n192.0.2.1\nx\n", headers=world.ours.headers)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (400, ["line 3"])
