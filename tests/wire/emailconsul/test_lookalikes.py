"""Brands and who imitates them as a client of the EmailConsul API sees them."""

from __future__ import annotations

from typing import Any

from mailvane.reputation.model import AssetKind, ObservationKind
from tests.wire.emailconsul.asking import HOUR, get, post, said, send
from tests.wire.world import NOW, World


def found(world: World, lookalike: str, **data: Any) -> None:
    said(world, ObservationKind.LOOKALIKE, (AssetKind.LOOKALIKE, "brand.example"), data, key=lookalike)


def test_a_lookalike_is_shown_with_what_the_registry_says(world: World) -> None:
    (brand,) = post(world, "/lookalike", {"domain": "brand.example"})["data"]
    found(world, "brnad.example", reg_created_date=NOW - HOUR, registrar="Names Inc.", name_servers=["ns.example"])
    found(world, "gone.example", gone=True)
    (row,) = get(world, f"/lookalike/{brand['id']}/lookalikes")["data"]
    assert (row["lookalike"], row["registrar"], row["state"]) == ("brnad.example", "Names Inc.", "UNCLASSIFIED")
    assert row["reg_created_date"].endswith("Z")
    assert row["reg_updated_date"] is None
    assert get(world, "/lookalike")["data"][0]["lookalikes"] == 1


def test_what_somebody_thinks_of_it_stays_and_silences_alerts(world: World) -> None:
    (brand,) = post(world, "/lookalike", {"domain": "brand.example"})["data"]
    found(world, "brnad.example", reg_created_date=NOW - HOUR)
    path = f"/lookalike/{brand['id']}/lookalikes"
    assert send(world, "PATCH", f"{path}/brnad.example", {"state": "IGNORED"})["state"] == "IGNORED"
    found(world, "brnad.example", reg_created_date=NOW - HOUR)
    assert [row["state"] for row in get(world, path)["data"]] == ["IGNORED"]
    assert get(world, path, state="THREAT,UNCLASSIFIED")["data"] == []
    rule = {
        "type": "LOOKALIKE_REG_CREATED_DATE",
        "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"},
    }
    alert = post(world, "/alerts", {"name": "x", "rules": [rule]})
    assert get(world, f"/alerts/{alert['id']}/log")["data"] == []
    send(world, "PATCH", f"{path}/brnad.example", {"state": "FRIEND"}, 400)
    send(world, "PATCH", f"{path}/nobody.example", {"state": "THREAT"}, 404)


def test_a_brand_is_asked_about_now(world: World) -> None:
    (brand,) = post(world, "/lookalike", {"domain": "brand.example"})["data"]
    found(world, "brnad.example")
    (asked,) = send(world, "POST", f"/lookalike/{brand['id']}/refresh")["data"]
    assert asked["status"] == "WAITING"


def test_dates_are_dates_in_the_evidence_too(world: World) -> None:
    post(world, "/lookalike", {"domain": "brand.example"})
    found(world, "brnad.example", reg_created_date=NOW - HOUR)
    rule = {
        "type": "LOOKALIKE_REG_CREATED_DATE",
        "lookalike_reg_created_date": {"value": "ONE_DAY", "operator": "lt"},
    }
    alert = post(world, "/alerts", {"name": "x", "rules": [rule]})
    (entry,) = get(world, f"/alerts/{alert['id']}/log")["data"]
    (fired,) = entry["rules"]
    assert fired["matchings"]["items"][0]["value"] == "2024-01-17T19:30:45.000Z"
    assert fired["snapshot"]["data"][0]["reg_created_date"] == "2024-01-17T19:30:45.000Z"
    assert fired["snapshot"]["data"][0]["reg_updated_date"] is None
