"""Alerts as a client of the EmailConsul API writes and reads them."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from tests.wire.emailconsul.examples import ABOVE, EXAMPLES
from tests.wire.world import NOW, World

PATH = "/api/v1.0/alerts"
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}


def created(world: World, **fields: Any) -> dict[str, Any]:
    answer = world.client.post(PATH, json={"name": "x", "rules": [LISTED]} | fields, headers=world.ours.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(world: World, address: str, zone: str = "bl.example") -> None:
    """A blocklist said so."""
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset=address, key=zone, at=NOW, seen_at=NOW, data={"listed": True}
    )
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=address, at=NOW, observations=(said,))
    world.services.reputation.watched_assets.record(world.ours.workspace.id, [refresh], NOW)


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: str(rule["type"]))
def test_every_rule_of_the_guide_is_taken_and_given_back(world: World, rule: dict[str, Any]) -> None:
    assert created(world, rules=[rule])["rules"] == [rule]


def test_there_are_twenty_five_of_them() -> None:
    assert len({rule["type"] for rule in EXAMPLES}) == len(EXAMPLES) == 25


def test_an_alert_is_a_bare_object_with_every_field_and_both_spellings(world: World) -> None:
    made = created(
        world, is_instant_alert=True, instant_alert_email_email="ops@example.org", webhook_url="https://h.example/x"
    )
    assert made == {
        "id": made["id"], "name": "x", "profile_id": None, "is_active": True, "is_in_daily_report": False,
        "is_instant_alert": True, "is_on_dashboards": False, "instant_alert_email": "ops@example.org",
        "instant_alert_email_email": "ops@example.org", "slack_integration_id": None,
        "webhook_url": "https://h.example/x", "formula": None, "rules": [LISTED],
        "created_at": "2024-01-17T20:30:45.000Z", "updated_at": "2024-01-17T20:30:45.000Z",
        "warnings": made["warnings"],
    }  # fmt: skip
    assert len(made["id"]) == 24
    assert world.client.get(f"{PATH}/{made['id']}", headers=world.ours.headers).json() == made


def test_an_alert_is_changed_listed_and_removed(world: World) -> None:
    first, second = created(world, name="b"), created(world, name="a")
    body = {"name": "c", "rules": [LISTED], "is_active": False}
    changed = world.client.put(f"{PATH}/{first['id']}", json=body, headers=world.ours.headers).json()
    assert (changed["name"], changed["is_active"], changed["id"]) == ("c", False, first["id"])
    page = world.client.get(PATH, params={"sort": "name", "limit": 1}, headers=world.ours.headers).json()
    assert ([one["name"] for one in page["data"]], page["meta"]) == (["a"], {"count": 2, "offset": 0, "limit": 1})
    assert world.client.delete(f"{PATH}/{second['id']}", headers=world.ours.headers).status_code == 204
    gone = world.client.get(f"{PATH}/{second['id']}", headers=world.ours.headers)
    assert (gone.status_code, gone.json()["code"]) == (404, 404)


def warned(told: dict[str, Any]) -> dict[str, str]:
    return {each["field"]: each["message"] for each in told.get("warnings", [])}


def test_what_keeps_an_alert_silent_is_told_until_it_is_so_no_more(world: World) -> None:
    rule = {"type": "IP_IN_RBL", "ips": ["192.0.2.1"], "rbls": ["zen.spamhaus.org", "nobody.example"]}
    odd = rule | {"domains": ["x"]}
    made = created(world, rules=[odd], is_instant_alert=True, instant_alert_email="ops@example.org")
    assert warned(made) == {
        "is_instant_alert": "this server sends no mail: `host` of [reputation.mail] is not set",
        "rules[0].ips[0]": "192.0.2.1 is not watched: nothing is known of it",
        "rules[0].rbls[1]": "nobody.example is no blocklist that is asked: see /api/v1.0/checkers/rbl_dictionary",
        "rules[0].domains": "has no effect: IP_IN_RBL has no such field",
    }
    world.client.post("/api/v1.0/ips", json={"ip": "192.0.2.1"}, headers=world.ours.headers)
    body = {"name": "x", "rules": [rule | {"rbls": ["ZEN.spamhaus.org."]}]}
    changed = world.client.put(f"{PATH}/{made['id']}", json=body, headers=world.ours.headers).json()
    assert "warnings" not in changed
    (listed,) = world.client.get(PATH, headers=world.ours.headers).json()["data"]
    assert listed == changed == world.client.get(f"{PATH}/{made['id']}", headers=world.ours.headers).json()


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: str(rule["type"]))
def test_where_nothing_is_watched_every_rule_but_those_of_microsoft_says_so(world: World, rule: dict[str, Any]) -> None:
    assert bool(warned(created(world, rules=[rule]))) != str(rule["type"]).startswith("SNDS")


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": ABOVE | {"value": 1}}, "gp_spf_success_ratio"),
        ({"type": "SNDS_BOUNCE_RATE", "snds_bounce_rate": {"value": 100, "operator": "gt"}}, "snds_bounce_rate"),
        ({"type": "SNDS_TRAP_HITS", "snds_trap_hits": {"value": 0, "operator": "lt"}}, "snds_trap_hits"),
        ({"type": "SNDS_TRAP_HITS", "snds_trap_hits": {"value": 0.5, "operator": "eq"}}, "snds_trap_hits"),
        ({"type": "DOMAIN_IN_RBL", "domains": ["ALL_DOMAINS"], "rbls": ["zen.spamhaus.org"]}, "rbls[0]"),
        ({"type": "TRAPS_IP", "traps_ips": ["192.0.2.9"]}, "traps_ips[0]"),
        ({"type": "MV_NEW_DMARC_SENDER", "domains": ["unwatched.example"]}, "domains[0]"),
    ],
)  # fmt: skip
def test_what_can_never_be_is_taken_and_told(world: World, rule: dict[str, Any], field: str) -> None:
    world.client.post("/api/v1.0/traps", json={"ip": "192.0.2.9"}, headers=world.ours.headers)  # nobody approved it
    assert f"rules[0].{field}" in warned(created(world, rules=[rule]))


def test_a_change_that_does_not_say_so_neither_starts_nor_stops_an_alert(world: World) -> None:
    alert = created(world)
    for said, active in ((False, False), (None, False), ("left out", False), (True, True), ("left out", True)):
        body = {"name": "x", "rules": [LISTED]} | ({} if said == "left out" else {"is_active": said})
        changed = world.client.put(f"{PATH}/{alert['id']}", json=body, headers=world.ours.headers).json()
        assert changed["is_active"] is active, said


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "rules"}),
        ({"name": "", "rules": [LISTED]}, {"name"}),
        ({"name": "x", "rules": []}, {"rules"}),
        ({"name": "x", "rules": [{"type": "NONSENSE"}]}, {"rules[0].type"}),
        ({"name": "x", "rules": [{"type": "IP_IN_RBL", "ips": ["1.1.1.1"]}]}, {"rules[0].rbls"}),
        ({"name": "x", "rules": [LISTED, LISTED]}, {"formula"}),
        ({"name": "x", "rules": [LISTED], "is_instant_alert": True}, {"instant_alert_email"}),
        ({"name": "x", "rules": [LISTED], "webhook_url": "ftp://h"}, {"webhook_url"}),
        ({"name": "x", "rules": [LISTED], "profile_id": "p"}, {"profile_id"}),
        ({"name": "x", "rules": "IP_IN_RBL"}, {"rules"}),
        *(
            ({"name": "x", "rules": [LISTED], "webhook_url": f"http://{host}/hook"}, {"webhook_url"})
            for host in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost")
        ),
        ({"name": 5, "rules": [LISTED]}, {"name"}),
        *(
            ({"name": "x", "rules": [{"type": "DOMAIN_IN_RBL", "domains": [name], "rbls": ["bl.example"]}]},
             {"rules[0].domains[0]"})
            for name in ("1.1.1.1", "2001:db8::1", "https://shop.example", "a b.example", "shop.example/x", "")
        ),
        *(
            ({"name": "x", "rules": [LISTED | {"rbls": [zone]}]}, {"rules[0].rbls[0]"})
            for zone in ("1.1.1.1", "https://bl.example", "no host", "ALL_IPS", "high_reputation", "-", "a..b", "")
        ),
        *(
            ({"name": "x", "rules": [LISTED | {"ips": [address]}]}, {"rules[0].ips[0]"})
            for address in ("bl.example", "192.0.2.0/24", "1.2.3", "fe80::1%eth0", "")
        ),
        (
            {"name": "x", "rules": [{"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": ABOVE | {"value": 2}}]},
            {"rules[0].gp_spf_success_ratio.value"},
        ),
        (
            {"name": "x", "rules": [{"type": "GP_SPF_SUCCESS_RATIO", "gp_spf_success_ratio": {"value": 1}}]},
            {"rules[0].gp_spf_success_ratio.operator"},
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_field_by_field(world: World, body: dict[str, Any], fields: set[str]) -> None:
    answer = world.client.post(PATH, json=body, headers=world.ours.headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == 400
    assert {one["field"] for one in answer.json()["errors"]} == fields
    assert world.client.get(PATH, headers=world.ours.headers).json()["data"] == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff", b'{"name":' * 6000])
def test_a_body_that_is_no_alert_is_refused(world: World, body: bytes) -> None:
    answer = world.client.post(PATH, content=body, headers=world.ours.headers)
    assert (answer.status_code, bool(answer.json()["errors"])) == (400, True)


def test_what_fired_is_read_back_with_its_evidence_and_counted(world: World) -> None:
    alert = created(world, name="listed")
    world.client.post("/api/v1.0/ips", json={"ips": ["192.0.2.1", "192.0.2.2"]}, headers=world.ours.headers)
    listed(world, "192.0.2.1")
    page = world.client.get(f"{PATH}/{alert['id']}/log", headers=world.ours.headers).json()
    (entry,) = page["data"]
    assert page["meta"] == {"count": 1, "offset": 0, "limit": 20}
    assert (entry["user_alert_id"], entry["name"], entry["timestamp"]) == (
        alert["id"],
        "listed",
        "2024-01-17T20:30:45.000Z",
    )
    (rule,) = entry["rules"]
    assert rule["matchings"] == {"items": [{"ip": "192.0.2.1", "rbl": "bl.example"}], "count": 1}
    assert rule["snapshot"]["date_timestamp"] == "2024-01-17T20:30:45.000Z"
    assert rule["snapshot"]["data"][0]["rbl_result"] == [{"lookup_host": "bl.example"}]
    assert rule["snapshot"]["data"][0]["updated_at"] == "2024-01-17T20:30:45.000Z"
    query = {"period_from": "2024-01-16T00:00:00.000Z", "period_to": "2024-01-18T00:00:00.000Z"}

    def stats(path: str) -> Any:
        return world.client.get(f"{PATH}/stats/{path}", params=query, headers=world.ours.headers).json()["data"]

    assert stats(f"aggregated/{alert['id']}/IP_IN_RBL") == [{"ip": "192.0.2.1", "rbl": "bl.example", "count": 1}]
    days = [{"date": "2024-01-16", "count": 0}, {"date": "2024-01-17", "count": 1}]
    assert stats(f"timeseries/{alert['id']}/IP_IN_RBL") == days
    assert stats("timeseries") == days
    assert stats("aggregated") == [
        {"user_alert_id": alert["id"], "name": "listed", "rule_type": "IP_IN_RBL", "count": 1}
    ]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("aggregated", {}, 400),
        ("aggregated", {"period_from": "2024-01-16", "period_to": "then"}, 400),
        ("aggregated", {"period_from": "2024-01-18", "period_to": "2024-01-16"}, 400),
        ("timeseries", {"period_from": "9999-12-31T00:00:00-23:00", "period_to": "9999-12-31T23:59:59-23:59"}, 400),
        ("timeseries", {"period_from": "0001-01-01T00:00:00+23:00", "period_to": "0001-01-02"}, 400),
        ("timeseries/" + "0" * 24 + "/IP_IN_RBL", {"period_from": "2024-01-16", "period_to": "2024-01-17"}, 404),
    ],
)
def test_statistics_want_a_period_and_an_alert(world: World, path: str, query: dict[str, str], status: int) -> None:
    answer = world.client.get(f"{PATH}/stats/{path}", params=query, headers=world.ours.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, status)


def test_an_unknown_rule_type_has_no_statistics(world: World) -> None:
    query = {"period_from": "2024-01-16", "period_to": "2024-01-17"}
    path = f"{PATH}/stats/aggregated/{created(world)['id']}/NONSENSE"
    assert world.client.get(path, params=query, headers=world.ours.headers).status_code == 400


def test_keys_are_asked_for_and_an_unknown_path_is_none(world: World) -> None:
    assert world.client.get(PATH).status_code == 401
    assert world.client.get("/api/v1.0/nothing", headers=world.ours.headers).status_code == 404
    assert world.client.get(PATH, headers={"X-API-KEY": world.platform}).status_code == 400
    named = {"X-API-KEY": world.platform, "X-Workspace-Id": str(world.ours.workspace.id)}
    assert world.client.get(PATH, headers=named).status_code == 200


@pytest.mark.parametrize("path", ["", "/", "/swagger-ui-bundle.js", "/swagger-ui.css", "/page.js", "/openapi.json"])
def test_the_page_of_the_api_is_open_as_its_document_is(world: World, path: str) -> None:
    answer = world.client.get(f"/api/v1.0/doc{path}")
    kind = {"": "html", "/": "html"}.get(path, path.rpartition(".")[2]).replace("js", "javascript")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(("text/" + kind, "application/json"))
    assert world.client.get("/api/v1.0/doc/other").status_code == 401
