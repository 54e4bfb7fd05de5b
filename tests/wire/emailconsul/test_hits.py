"""Spam traps and honeytokens as a client of the EmailConsul API sees them."""

from __future__ import annotations

from typing import Any

from mailvane.reputation.model import AssetKind, ObservationKind
from tests.wire.emailconsul.asking import DAY, get, post, said, send
from tests.wire.world import MASTER, NOW, World

SPAN: dict[str, Any] = {"period_from": "2024-01-16T00:00:00.000Z", "period_to": "2024-01-18T00:00:00.000Z"}


def trapped(world: World, key: str, at: int = NOW, asset: str = "192.0.2.1", **data: Any) -> None:
    mail = {"ip": "192.0.2.1", "domain_from": "ours.example", "data_colorcode": "black"} | data
    said(world, ObservationKind.TRAP_HIT, (AssetKind.TRAP, asset), mail, key=key, at=at)


def leaked(world: World, key: str, at: int = NOW, **data: Any) -> None:
    mail = {"from_email": "x@spam.example", "to_email": "token@ours.example", "domain": "spam.example"} | data
    said(world, ObservationKind.HONEYTOKEN_HIT, (AssetKind.HONEYTOKEN, "token@ours.example"), mail, key=key, at=at)


def test_addresses_and_domains_are_looked_for_in_traps(world: World) -> None:
    made = post(world, "/traps", {"ips": ["192.0.2.1"], "domain": "ours.example"})["data"]
    assert {(one["ip"], one["domain"]) for one in made} == {("192.0.2.1", None), (None, "ours.example")}
    assert {one["verified"] for one in made} == {False}
    assert get(world, "/traps")["meta"]["count"] == 2
    send(world, "DELETE", f"/traps/{made[0]['id']}", status=204)


def test_a_mail_that_concerns_two_watched_names_is_one_hit(world: World) -> None:
    trapped(world, "a")
    trapped(world, "a", asset="ours.example")
    trapped(world, "b", at=NOW - DAY, data_colorcode="grey", email_subject="Win a prize")
    rows = get(world, "/traps/log")["data"]
    assert [row["id"] for row in rows] == ["a", "b"]
    assert get(world, "/traps/log", sort="timestamp")["data"][0]["id"] == "b"
    assert [row["id"] for row in get(world, "/traps/log", data_colorcode="grey")["data"]] == ["b"]
    assert [row["id"] for row in get(world, "/traps/log", email_subject="prize")["data"]] == ["b"]


def test_hits_are_counted_by_group_and_by_day(world: World) -> None:
    trapped(world, "a")
    trapped(world, "b", at=NOW - DAY, data_colorcode="grey")
    trapped(world, "c")
    grouped = get(world, "/traps/stats/aggregated", group="data_colorcode", **SPAN)["data"]
    assert grouped == [{"data_colorcode": "black", "count": 2}, {"data_colorcode": "grey", "count": 1}]
    days = get(world, "/traps/stats/timeseries", **SPAN)["data"]
    assert days == [{"date": "2024-01-16", "count": 1}, {"date": "2024-01-17", "count": 2}]
    get(world, "/traps/stats/aggregated", 400, **SPAN)


def test_a_token_tells_who_leaked_it(world: World) -> None:
    (token,) = post(world, "/honeytoken", {"email": "token@ours.example", "trusted_domains": ["Shop.example"]})["data"]
    assert (token["email"], token["trusted_domains"]) == ("token@ours.example", ["shop.example"])
    leaked(world, "a")
    leaked(world, "b", from_email="y@other.example", domain="other.example")
    assert [row["id"] for row in get(world, "/honeytoken/log", from_email="other")["data"]] == ["b"]
    grouped = get(world, "/honeytoken/stats/aggregated", group="to_email", **SPAN)["data"]
    assert grouped == [{"to_email": "token@ours.example", "count": 2}]
    assert get(world, "/honeytoken/stats/timeseries", **SPAN)["data"][-1]["count"] == 2
    changed = send(world, "PUT", f"/honeytoken/{token['id']}", {"trusted_domains": ["other.example"]})
    assert changed["data"][0]["trusted_domains"] == ["other.example"]
    send(world, "PUT", f"/honeytoken/{token['id']}", {"trusted_domains": ["not a domain"]}, 400)
    post(world, "/honeytoken", {"email": "nobody"}, 400)


def test_the_evidence_of_an_alert_names_each_mail_by_its_id_and_time_as_the_log_does(world: World) -> None:
    operator = {"X-API-KEY": MASTER, "X-Workspace-Id": str(world.ours.workspace.id)}
    assert world.client.post("/api/v1.0/traps", json={"ip": "192.0.2.1"}, headers=operator).status_code == 201
    post(world, "/honeytoken", {"email": "token@ours.example"})
    counted = {"value": 0, "operator": "gt", "time_range": "ONE_DAY"}
    rules = (
        {"type": "TRAPS_IP", "traps_ips": ["ALL_TRAPS_IPS"]},
        {"type": "HONEYTOKEN_DOMAIN_COUNT_PER_PERIOD", "honeytoken_domain_count_per_period": counted},
    )
    alerts = [post(world, "/alerts", {"name": rule["type"], "rules": [rule]})["id"] for rule in rules]
    trapped(world, "a")
    leaked(world, "b", at=NOW - 1)
    for alert, log in zip(alerts, ("/traps/log", "/honeytoken/log"), strict=True):
        (entry,) = get(world, f"/alerts/{alert}/log")["data"]
        (record,) = entry["rules"][0]["snapshot"]["data"]
        assert record["hits"] == get(world, log)["data"]
        assert record["hits"][0]["timestamp"].startswith("2024-01-17T20:30:4")
