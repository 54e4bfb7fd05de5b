"""Lookalikes of a brand, found on a real name server and a real RDAP server, from day to day."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh
from mailvane.reputation.sources.lookalikes import Lookalikes
from mailvane.reputation.sources.lookalikes.collector import FOUND, STATES
from mailvane.reputation.sources.lookalikes.presence import DomainLookups
from mailvane.reputation.sources.lookalikes.rdap import Registries
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.unit.reputation.sources.lookalikes.registry_server import Registry, document
from tests.unit.reputation.sources.vendor_server import Said
from tests.waiting import PATIENCE

NOW = 1_795_262_400_000  # 2026-11-21T12:00Z
DAY_MS = 86_400_000
RECORDS = {
    ("aab.example", "NS"): "ns1.host.example.",
    ("aab.example", "MX"): "10 mx.host.example.",
    ("aab.example", "TXT"): '"v=spf1 -all"',
    ("_dmarc.aab.example", "TXT"): '"v=DMARC1; p=quarantine"',
    ("ba.example", "A"): "192.0.2.1",
}


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer({}, RECORDS).running() as running:
        yield running


@pytest.fixture
def registry() -> Iterator[Registry]:
    told = Registry(
        {"aab.example": document("aab.example"), "ba.example": document("ba.example", "2020-01-01T00:00:00Z")}
    )
    with told.server.running():
        yield told


@pytest.fixture
def collector(names: NameServer, registry: Registry) -> Lookalikes:
    return Lookalikes(DomainLookups([f"127.0.0.1:{names.port}"], 100, PATIENCE), Registries(registry.bootstrap, 0))


def brand(name: str = "ab.example", **details: Any) -> Asset:
    return Asset(id=name, workspace=1, kind=AssetKind.LOOKALIKE, name=name, created_at=0, details=details)


def refreshed(collector: Lookalikes, asset: Asset, now: int = NOW) -> Refresh:
    async def collect() -> list[Refresh]:
        return [refresh async for refresh in collector.refresh([asset], now)]

    (refresh,) = asyncio.run(collect())
    return refresh


def after(asset: Asset, refresh: Refresh) -> Asset:
    """As the ledger has it after the refresh: through JSON."""
    details = msgspec.json.decode(msgspec.json.encode({**asset.details, **refresh.details}))
    return msgspec.structs.replace(asset, details=details)


def told(refresh: Refresh) -> dict[str, Observation]:
    assert refresh.error == ""
    return {one.key: one for one in refresh.observations}


def test_lookalikes_that_are_there_are_told_with_what_is_known_of_them(collector: Lookalikes) -> None:
    found = told(refreshed(collector, brand()))
    assert set(found) == {"aab.example", "ba.example"}
    one = found["aab.example"]
    assert (one.kind, one.asset, one.at, one.confirmed_at) == (ObservationKind.LOOKALIKE, "ab.example", NOW, NOW)
    assert one.data == {
        "score": 80,
        "fuzzer": "repetition",
        "name_servers": ["ns1.host.example"],
        "mx_detected": True,
        "reg_created_date": NOW - 26 * 3_600_000,
        "reg_updated_date": None,
        "registrar": "Names Inc.",
        "registrar_abuse_email": "abuse@names.example",
        "dnssec": False,
        "p": "quarantine",
        "spf_detected": True,
        "state": "UNCLASSIFIED",
    }


def test_the_same_again_is_confirmed_and_a_change_is_told_anew(collector: Lookalikes, registry: Registry) -> None:
    first = refreshed(collector, brand())
    registry.domains["ba.example"] = document("ba.example", "2020-01-01T00:00:00Z", "2026-11-22T00:00:00Z")
    second = told(refreshed(collector, after(brand(), first), NOW + DAY_MS))
    assert (second["aab.example"].at, second["aab.example"].confirmed_at) == (NOW, NOW + DAY_MS)
    assert (second["ba.example"].at, second["ba.example"].data["reg_updated_date"]) == (NOW + DAY_MS, NOW + DAY_MS // 2)


def test_one_that_vanished_is_told_once_as_gone(collector: Lookalikes, names: NameServer, registry: Registry) -> None:
    first = refreshed(collector, brand())
    del names.records["ba.example", "A"]
    del registry.domains["ba.example"]
    asset = after(brand(), first)
    second = refreshed(collector, asset, NOW + DAY_MS)
    assert told(second)["ba.example"].data == {"gone": True, "state": "UNCLASSIFIED"}
    third = refreshed(collector, after(asset, second), NOW + 2 * DAY_MS)
    assert set(told(third)) == {"aab.example"}


def test_one_without_a_server_is_still_there_while_the_registry_has_it(
    collector: Lookalikes, names: NameServer, registry: Registry
) -> None:
    asset = after(brand(), refreshed(collector, brand()))
    del names.records["ba.example", "A"]
    second = told(refreshed(collector, asset, NOW + DAY_MS))
    assert "gone" not in second["ba.example"].data
    registry.domains["ba.example"] = Said(status=403)
    third = refreshed(collector, asset, NOW + DAY_MS)
    assert set(told(third)) == {"aab.example"}
    assert "ba.example" in third.details[FOUND]


def test_what_could_not_be_asked_is_as_it_was(collector: Lookalikes, names: NameServer, registry: Registry) -> None:
    asset = after(brand(), refreshed(collector, brand()))
    registry.domains["aab.example"] = Said(status=403)
    names.zones = {"_dmarc.aab.example": "failing", "a.example": "failing"}
    second = refreshed(collector, asset, NOW + DAY_MS)
    assert told(second)["aab.example"].at == NOW
    assert "status 403" in second.details["registry_error"]


def test_one_that_dns_does_not_tell_of_is_neither_confirmed_nor_gone(collector: Lookalikes, names: NameServer) -> None:
    asset = after(brand(), refreshed(collector, brand()))
    original = names._answer

    def answer(question: Any) -> Any:
        if question.question[0].name.to_text() == "ba.example.":
            names.zones = {"example": "failing"}
        try:
            return original(question)
        finally:
            names.zones = {}

    names._answer = answer  # type: ignore[method-assign]
    second = refreshed(collector, asset, NOW + DAY_MS)
    assert set(told(second)) == {"aab.example"}
    assert second.details[FOUND]["ba.example"] == asset.details[FOUND]["ba.example"]


@pytest.mark.parametrize("broken", ["from the start", "meanwhile"])
def test_a_resolver_that_finds_nothing_makes_nobody_gone(
    collector: Lookalikes, names: NameServer, registry: Registry, broken: str
) -> None:
    """Not even where no registry can be asked."""
    asset = after(brand(), refreshed(collector, brand()))
    registry.domains.clear()
    if broken == "meanwhile":
        names.turning = {"ba.example": ("example", "nothing")}
    else:
        names.zones = {"example": "nothing"}
    second = refreshed(collector, asset, NOW + DAY_MS)
    assert not [one for one in second.observations if one.data.get("gone")]
    kept = {**asset.details, **second.details}
    assert kept[FOUND]["ba.example"] == asset.details[FOUND]["ba.example"]
    if broken == "from the start":
        assert "finds nothing" in second.error


def test_what_people_think_of_one_survives_and_is_told(collector: Lookalikes) -> None:
    asset = after(brand(), refreshed(collector, brand()))
    asset = msgspec.structs.replace(asset, details={**asset.details, STATES: {"ba.example": "IGNORED"}})
    second = refreshed(collector, asset, NOW + DAY_MS)
    found = told(second)["ba.example"]
    assert (found.data["state"], found.at) == ("IGNORED", NOW + DAY_MS)
    assert STATES not in second.details
    third = refreshed(collector, after(asset, second), NOW + 2 * DAY_MS)
    assert (told(third)["ba.example"].at, told(third)["ba.example"].data["state"]) == (NOW + DAY_MS, "IGNORED")


def test_without_a_resolver_nothing_is_learned(registry: Registry, names: NameServer) -> None:
    names._answer = lambda question: None  # type: ignore[method-assign]
    lookups = DomainLookups([f"127.0.0.1:{names.port}"], timeout=0.05)
    refresh = refreshed(Lookalikes(lookups, Registries(registry.bootstrap, 0)), brand())
    assert "no resolver answers" in refresh.error
    assert (refresh.observations, refresh.details) == ((), {})


def read(collector: Lookalikes, *lines: Any) -> list[Refresh]:
    raw = b"\n".join(msgspec.json.encode(line) for line in lines)
    return list(collector.read(io.BytesIO(raw), "found.jsonl", NOW))


LINE = {
    "domain": "Shop.example",
    "lookalike": "shoop.example.",
    "reg_created_date": "2026-11-20T00:00:00Z",
    "at": NOW - 1,
}


def test_lookalikes_are_read_from_files(collector: Lookalikes) -> None:
    (refresh,) = read(collector, LINE, {**LINE, "lookalike": "shop.test", "registrar": "x", "p": "none"})
    first, second = refresh.observations
    assert (refresh.asset, first.asset, first.key, first.at) == (
        "shop.example",
        "shop.example",
        "shoop.example",
        NOW - 1,
    )
    assert first.data["reg_created_date"] == NOW - 36 * 3_600_000
    assert (first.data["state"], first.data["score"], first.data["reg_updated_date"]) == ("UNCLASSIFIED", 89, None)
    assert (second.data["registrar"], second.data["p"]) == ("x", "none")


@pytest.mark.parametrize(
    "change", [{"lookalike": ""}, {"reg_created_date": "soon"}, {"state": "?"}, {"p": "x"}, {"at": 0}]
)
def test_a_line_that_cannot_be_is_refused(collector: Lookalikes, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"found\.jsonl, line 2"):
        read(collector, LINE, {**LINE, **change})
