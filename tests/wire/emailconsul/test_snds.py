"""SNDS keys and data as a client of the EmailConsul API sees them."""

from __future__ import annotations

from typing import Any

from mailvane.reputation.model import AssetKind, AssetStatus, ObservationKind
from tests.wire.emailconsul.asking import DAY, get, post, said, send
from tests.wire.world import NOW, World

KEY = "0b7c6a1e-1111-2222-3333-44445555abcd"
SPAN: dict[str, Any] = {"period_from": "2024-01-01T00:00:00.000Z", "period_to": "2024-01-30T00:00:00.000Z"}


def told(world: World, address: str, at: int = NOW - 2 * DAY, **data: Any) -> None:
    said(world, ObservationKind.SNDS_DATA, (AssetKind.SNDS, address), data, at=at)


def test_a_key_is_named_by_its_end_and_never_shown(world: World) -> None:
    answer = post(world, "/snds/creds", {"key": KEY})
    (made,) = answer["data"]
    assert (made["name"], made["status"]) == ("key …abcd", "ACTIVE")
    assert KEY not in str(get(world, "/snds/creds"))
    for wrong in ("", "a key", "x" * 300):
        assert post(world, "/snds/creds", {"key": wrong}, 400)["errors"][0]["field"] == "key"


def test_a_key_is_ended_and_taken_up_again_and_replaced(world: World) -> None:
    (made,) = post(world, "/snds/creds", {"key": KEY, "name": "main"})["data"]
    path = f"/snds/creds/{made['id']}"
    assert send(world, "PATCH", path, {"status": "TERMINATED"})["data"][0]["status"] == "TERMINATED"
    assert send(world, "PATCH", path, {"status": "ACTIVE", "key": KEY[::-1]})["data"][0]["status"] == "ACTIVE"
    workspace = world.ours.workspace.id
    kept = world.services.reputation.watched_assets.asset(workspace, AssetKind.SNDS, made["id"])
    assert (kept.secret, kept.status) == (KEY[::-1], AssetStatus.WAITING)
    send(world, "PATCH", path, {"status": "GONE"}, 400)
    assert send(world, "POST", "/snds/run") == {"data": {"count": 1}}


def test_data_are_listed_the_newest_first_and_by_colour(world: World) -> None:
    told(world, "192.0.2.1", filter_result="GREEN", rcpt_commands=10, period_from=NOW - DAY)
    told(world, "192.0.2.2", at=NOW - 3 * DAY, filter_result="RED")
    rows = get(world, "/snds/ip_data")["data"]
    assert [row["ip"] for row in rows] == ["192.0.2.1", "192.0.2.2"]
    assert rows[0]["period_from"].endswith("Z")
    assert rows[0]["dns_reverse_result"] == []
    assert [row["ip"] for row in get(world, "/snds/ip_data", filter_result="RED,YELLOW")["data"]] == ["192.0.2.2"]
    assert get(world, "/snds/ip_data", ip="2.1")["meta"]["count"] == 1


def test_blocked_addresses_are_listed(world: World) -> None:
    status = {"blocked": "Yes", "details": "too many complaints"}
    said(world, ObservationKind.SNDS_STATUS, (AssetKind.SNDS, "192.0.2.1"), status)
    (row,) = get(world, "/snds/ip_status")["data"]
    assert (row["ip"], row["blocked"], row["details"]) == ("192.0.2.1", "Yes", "too many complaints")


def test_sums_are_by_address(world: World) -> None:
    told(world, "192.0.2.1", rcpt_commands=10, trap_hits=2, filter_result="RED", complaint_rate=0.2)
    told(world, "192.0.2.1", at=NOW - 3 * DAY, rcpt_commands=5, filter_result="GREEN", complaint_rate=0.4)
    told(world, "192.0.2.2", rcpt_commands=1)
    first, second = get(world, "/snds/aggregated", **SPAN)["data"]
    assert (first["ip"], first["rcpt_commands"], first["red"], first["green"]) == ("192.0.2.1", 15, 1, 1)
    assert round(first["complaint_rate"], 3) == 0.3
    assert second["rcpt_commands"] == 1
    assert get(world, "/snds/aggregated_traps", **SPAN)["data"] == [{"ip": "192.0.2.1", "trap_hits": 2}]
