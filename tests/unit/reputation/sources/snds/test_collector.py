"""SNDS fetched from a real server that speaks as Microsoft's does, and read from files."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from typing import Any

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.snds import make
from tests.unit.reputation.sources.vendor_server import Asked, Said, VendorServer

NOW = 1_795_262_400_000  # 2026-11-21T12:00Z
DAY_MS = 86_400_000
KEY = "0f0f0f0f-aaaa-bbbb"
DATA = "{ip},11/{day}/2026 1:00 AM,11/{day}/2026 9:00 PM,100,100,90,RED,< 0.1%,,,0,mx.shop.example,a@shop.example,\r\n"


def microsoft(blocked: str = "", ip: str = "192.0.2.7") -> Callable[[Asked], Said]:
    def answer(asked: Asked) -> Said:
        if asked.query.get("key") != KEY:
            return Said("<html>no such key</html>", headers={"Content-Type": "text/html"})
        if asked.path.endswith("/ipStatus.aspx"):
            return Said(blocked)
        return Said(DATA.format(ip=ip, day=asked.query["date"][2:4]))

    return answer


def asset(secret: str = KEY, **fields: Any) -> Asset:
    return Asset(id="1", workspace=1, kind=AssetKind.SNDS, name="main", created_at=0, secret=secret, **fields)


def refreshed(server: VendorServer, *assets: Asset) -> list[Refresh]:
    async def collect() -> list[Refresh]:
        collector = make(ReputationSettings(snds_url=f"{server.url}/snds/"))
        return [refresh async for refresh in collector.refresh(assets, NOW)]

    return asyncio.run(collect())


def of_kind(refresh: Refresh, kind: ObservationKind) -> list[Observation]:
    return [one for one in refresh.observations if one.kind is kind]


def statuses(refresh: Refresh) -> dict[str, str]:
    return {one.asset: one.data["blocked"] for one in of_kind(refresh, ObservationKind.SNDS_STATUS)}


def test_the_day_before_yesterday_is_asked_for() -> None:
    with VendorServer(microsoft()).running() as server:
        (refresh,) = refreshed(server, asset())
    assert [asked.query.get("date") for asked in server.asked] == ["111926", None]
    assert {asked.path for asked in server.asked} == {"/snds/data.aspx", "/snds/ipStatus.aspx"}
    (day,) = of_kind(refresh, ObservationKind.SNDS_DATA)
    assert (refresh.asset, refresh.error, day.asset, day.key) == ("main", "", "192.0.2.7", "")
    assert day.at == NOW - NOW % DAY_MS - 2 * DAY_MS
    assert day.data["bounce_rate"] == 10.0
    assert day.data["complaint_rate_upper_bound"] is True


def test_days_that_were_missed_are_made_up_for() -> None:
    with VendorServer(microsoft()).running() as server:
        refreshed(server, asset(updated_at=NOW - 3 * DAY_MS), asset(updated_at=NOW), asset(updated_at=1))
    asked = [asked.query["date"] for asked in server.asked if "date" in asked.query]
    assert asked[:4] == ["111726", "111826", "111926", "111926"]
    assert len(asked) == 4 + 14


def test_a_blocked_range_is_told_by_address_and_its_end_once() -> None:
    with VendorServer(microsoft("192.0.2.8,192.0.2.9,Yes,Blocked\r\n")).running() as server:
        (first,) = refreshed(server, asset())
    assert statuses(first) == {"192.0.2.8": "Yes", "192.0.2.9": "Yes"}
    with VendorServer(microsoft("192.0.2.9,192.0.2.9,Yes,Blocked\r\n")).running() as server:
        (second,) = refreshed(server, asset(details=first.details))
        (third,) = refreshed(server, asset(details=second.details))
    assert statuses(second) == {"192.0.2.8": "No", "192.0.2.9": "Yes"}
    assert statuses(third) == {"192.0.2.9": "Yes"}


def test_a_key_that_is_not_accepted_fails_alone_and_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), VendorServer(microsoft()).running() as server:
        wrong, right, none = refreshed(server, asset("wrong-key"), asset(), asset(""))
    assert "web page" in wrong.error
    assert (wrong.observations, right.error) == ((), "")
    assert none.error == "this entry has no key"
    assert KEY not in caplog.text
    assert "wrong-key" not in caplog.text + wrong.error


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Said(status=403), "does not accept this key"),
        (Said(status=302, headers={"Location": "/login"}), "status 302"),
        (Said(f"no,{KEY},table"), "no table of its own (line 1)"),
        (Said(f"{KEY},b"), "no table of its own (line 1)"),
        (Said(status=429, headers={"Retry-After": "3600"}), "patience"),
    ],
)
def test_whatever_is_no_table_fails_without_the_key(said: Said, told: str) -> None:
    with VendorServer(lambda asked: said).running() as server:
        (refresh,) = refreshed(server, asset())
    assert told in refresh.error
    assert KEY not in refresh.error
    assert refresh.observations == ()


def test_a_key_that_was_switched_off_is_not_used() -> None:
    with VendorServer(microsoft()).running() as server:
        assert refreshed(server, asset(verified=False)) == []
    assert server.asked == []


def test_an_empty_table_is_a_success_without_data() -> None:
    with VendorServer(lambda asked: Said("")).running() as server:
        (refresh,) = refreshed(server, asset())
    assert (refresh.error, refresh.observations) == ("", ())


def read(text: str) -> Refresh:
    (refresh,) = make(ReputationSettings()).read(io.BytesIO(text.encode()), "saved.csv", NOW)
    return refresh


def test_both_tables_are_read_from_files() -> None:
    data = read("﻿" + DATA.format(ip="192.0.2.7", day=10) + DATA.format(ip="192.0.2.7", day=11))
    assert [one.kind for one in data.observations] == [ObservationKind.SNDS_DATA] * 2
    assert {one.seen_at for one in data.observations} == {NOW}
    assert statuses(read("192.0.2.8,192.0.2.9,Yes,Blocked")) == {"192.0.2.8": "Yes", "192.0.2.9": "Yes"}
    assert read("").observations == ()


@pytest.mark.parametrize("text", ["<html></html>", "192.0.2.7,x,y", "\0"])
def test_a_file_that_is_no_table_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"saved\.csv"):
        read(text)
