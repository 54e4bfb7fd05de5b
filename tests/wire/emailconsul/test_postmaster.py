"""Domains of Postmaster Tools as a client of the EmailConsul API sees them."""

from __future__ import annotations

from typing import Any

from mailvane.reputation.model import AssetKind, ObservationKind
from tests.wire.emailconsul.asking import DAY, get, post, said, send
from tests.wire.world import NOW, World

YESTERDAY = NOW - NOW % DAY - DAY


def day(world: World, domain: str, at: int = YESTERDAY, **data: Any) -> None:
    said(world, ObservationKind.TRAFFIC, (AssetKind.GP_DOMAIN, domain), data, at=at)


def test_a_domain_is_shown_with_the_records_of_its_days(world: World) -> None:
    post(world, "/gpdomains", {"domains": ["One.example", "two.example"]})
    day(world, "one.example", domainReputation="LOW", spfSuccessRatio=0.5)
    day(world, "one.example", YESTERDAY - DAY, domainReputation="HIGH")
    page = get(world, "/gpdomains")
    one, two = page["data"]
    assert [each["domainReputation"] for each in one["traffic_stats"]] == ["LOW", "HIGH"]
    assert one["traffic_stats"][0]["date_timestamp"].endswith("T00:00:00.000Z")
    assert (one["status"], two["status"], two["traffic_stats"]) == ("UPDATED", "WAITING", [])
    assert page["meta"] == {"count": 2, "offset": 0, "limit": 20}


def test_domains_are_chosen_by_what_google_said(world: World) -> None:
    post(world, "/gpdomains", {"domains": ["one.example", "two.example", "three.example"]})
    day(world, "one.example", domainReputation="LOW")
    groups = [{"reputation": "BAD", "ipCount": "1", "sampleIps": ["192.0.2.1"]}]
    day(world, "two.example", domainReputation="HIGH", ipReputations=groups)

    def names(**query: Any) -> list[str]:
        return [one["domain"] for one in get(world, "/gpdomains", **query)["data"]]

    assert names(domain_reputations="LOW,BAD") == ["one.example"]
    assert names(ip="192.0.2") == ["two.example"]
    assert names(hide_without_stats="true") == ["one.example", "two.example"]
    assert names(domain="three") == ["three.example"]
    assert names(sort="-name", limit=1) == ["two.example"]


def test_errors_are_averaged_over_the_days_that_have_them(world: World) -> None:
    post(world, "/gpdomains", {"domain": "one.example"})
    error = {"errorClass": "PERMANENT_ERROR", "errorType": "IP_IN_RBL"}
    for number, ratio in enumerate((0.1, 0.3)):
        day(world, "one.example", YESTERDAY - number * DAY, deliveryErrors=[error | {"errorRatio": ratio}])
    span: dict[str, Any] = {"period_from": "2024-01-01T00:00:00.000Z", "period_to": "2024-02-01T00:00:00.000Z"}
    assert get(world, "/gpdomains/aggregated/delivery_errors_ratio", **span)["data"] == [
        {"domain": "one.example", "error_class": "PERMANENT_ERROR", "error_type": "IP_IN_RBL", "avg": 0.2}
    ]
    get(world, "/gpdomains/aggregated/delivery_errors_ratio", 400)


def test_google_is_asked_by_hand_and_how_that_went_is_told(world: World) -> None:
    post(world, "/gpdomains", {"domain": "one.example"})
    assert send(world, "POST", "/gpdomains/run") == {"data": {"count": 1}}
    day(world, "one.example", domainReputation="LOW")
    (told,) = get(world, "/gpdomains/history")["data"]
    assert (told["error"], told["failures"]) == ("", 0)
    assert get(world, "/gpdomains/available_count")["data"] == {"count": 1, "available": None}


def test_a_domain_is_watched_no_longer(world: World) -> None:
    (one,) = post(world, "/gpdomains", {"domain": "one.example"})["data"]
    send(world, "DELETE", f"/gpdomains/{one['id']}", status=204)
    assert get(world, "/gpdomains")["data"] == []
    send(world, "DELETE", f"/gpdomains/{one['id']}", status=404)
    get(world, "/gpdomains", 400, stats_date_from="2024-01-01", stats_date_to="2024-06-01")
