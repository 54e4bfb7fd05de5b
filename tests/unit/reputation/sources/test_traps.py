"""Mails that spam traps received: which are kept, and under what name."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import VERIFIED_AT, Asset, AssetKind, ObservationKind, Refresh
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.traps import make, of_watched

NOW = 1_795_262_400_000
HIT = {
    "ip": "192.0.2.7",
    "domain_from": "Shop.Example.",
    "email_from_header": "Shop <a@shop.example>",
    "email_subject": "Hello",
    "smtp_mail_from_domain": "bounce.shop.example",
    "data_colorcode": "black",
    "trap_estimated_domain_age_days": 900,
    "timestamp": NOW - 1000,
}


def read(*lines: Any) -> list[Refresh]:
    raw = b"\n".join(msgspec.json.encode(line) for line in lines)
    return list(make(ReputationSettings()).read(io.BytesIO(raw), "hits.jsonl", NOW))


def trap(name: str, created_at: int = 0, **fields: Any) -> Asset:
    return Asset(id=name, workspace=1, kind=AssetKind.TRAP, name=name, created_at=created_at, **fields)


def kept(traps: list[Asset], *lines: Any) -> list[tuple[str, int]]:
    return [(refresh.asset, len(refresh.observations)) for refresh in of_watched(read(*lines), traps, NOW)]


def test_a_hit_has_every_field_of_the_log() -> None:
    (refresh,) = read(HIT)
    (hit,) = refresh.observations
    assert (hit.kind, hit.asset, hit.at, hit.seen_at) == (ObservationKind.TRAP_HIT, "192.0.2.7", NOW - 1000, NOW)
    assert hit.data == {name: HIT[name] for name in HIT if name != "timestamp"} | {"domain_from": "shop.example"}


def test_the_same_line_has_the_same_key_and_another_has_another() -> None:
    keys = [refresh.observations[0].key for line in (HIT, HIT, {**HIT, "email_subject": "x"}) for refresh in read(line)]
    assert keys[0] == keys[1] != keys[2]
    assert read({**HIT, "id": "abc"})[0].observations[0].key == "abc"


def test_mails_of_one_sender_are_told_together() -> None:
    told = read(*({**HIT, "id": str(number), "ip": f"192.0.2.{number % 2}"} for number in range(2001)))
    assert sum(len(refresh.observations) for refresh in told) == 2001
    assert len(told) == 5


def test_only_mails_of_watched_names_are_kept_each_once() -> None:
    assert kept([], HIT) == []
    assert kept([trap("192.0.2.7"), trap("shop.example")], HIT) == [("192.0.2.7", 1)]
    assert kept([trap("shop.example")], HIT, {**HIT, "ip": ""}) == [("shop.example", 2)]
    assert kept([trap("192.0.2.8")], HIT) == []


def test_nothing_is_kept_before_a_name_was_verified() -> None:
    assert kept([trap("192.0.2.7", verified=False)], HIT) == []
    assert kept([trap("192.0.2.7", created_at=NOW)], HIT) == []
    assert kept([trap("192.0.2.7", details={VERIFIED_AT: NOW})], HIT) == []
    assert kept([trap("192.0.2.7", details={VERIFIED_AT: NOW - 1000})], HIT) == [("192.0.2.7", 1)]


def test_a_mail_is_kept_for_its_domain_when_the_address_came_later() -> None:
    assert kept([trap("192.0.2.7", created_at=NOW), trap("shop.example")], HIT) == [("shop.example", 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"ip": "", "domain_from": ""},
        {"ip": "x"},
        {"timestamp": "now"},
        {"timestamp": -1},
        {"data_colorcode": "pink"},
        {"trap_estimated_domain_age_days": -1},
    ],
)
def test_a_line_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"hits\.jsonl, line 2"):
        read(HIT, {**HIT, **change})


def test_a_line_without_a_time_is_refused() -> None:
    with pytest.raises(InvalidInput, match="timestamp"):
        read({"ip": "192.0.2.7"})


@given(st.dictionaries(st.sampled_from(sorted(HIT)), st.one_of(st.text(max_size=20), st.integers(), st.none())))
def test_any_line_is_read_or_refused(change: dict[str, Any]) -> None:
    try:
        read({**HIT, **change})
    except InvalidInput:
        return


def test_a_refresh_asks_nobody_and_says_that_all_is_known() -> None:
    async def refreshed() -> list[Refresh]:
        return [refresh async for refresh in make(ReputationSettings()).refresh([trap("shop.example")], NOW)]

    (refresh,) = asyncio.run(refreshed())
    assert (refresh.asset, refresh.error, refresh.observations) == ("shop.example", "", ())
