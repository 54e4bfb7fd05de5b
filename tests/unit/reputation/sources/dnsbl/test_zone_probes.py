"""When zones are probed, and for whom others wait; asked of a real name server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from mailvane.core.dns.lookups import Lookups
from mailvane.reputation.model import Zone, ZoneHealth
from mailvane.reputation.sources.dnsbl.zone_probes import ZoneProbes
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000
TRUE, OTHER = Zone(host="true.example"), Zone(host="other.example")


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({"true.example": TEST_POINTS, "other.example": TEST_POINTS}, {}).running() as running:
        yield running


class Proved:
    """What was told of zones, and a time limit that only the first probe of a silent zone waits for."""

    def __init__(self, *servers: NameServer) -> None:
        self.zone_probes = ZoneProbes(Lookups([f"127.0.0.1:{one.port}" for one in servers], timeout=PATIENCE))
        self.told: list[list[tuple[str, bool]]] = []
        self.zone_probes.probed = self._tell

    def _tell(self, health: Sequence[ZoneHealth]) -> None:
        self.told.append([(one.host, one.usable) for one in health])

    def before(self, now: int = NOW) -> list[str]:
        return [zone.host for zone in asyncio.run(self.zone_probes.before([TRUE, OTHER], now))]


def test_what_was_good_a_moment_ago_is_not_probed_again_and_what_was_not_is(server: NameServer) -> None:
    proved = Proved(server)
    server.zones["other.example"] = "failing"
    assert proved.before() == ["true.example"]
    server.asked.clear()
    server.zones["other.example"] = TEST_POINTS
    assert proved.before() == ["true.example", "other.example"]
    assert not [name for name in server.asked if name.endswith("true.example")]


def test_of_every_zone_is_told_once_and_when_it_changes_and_now_and_then(server: NameServer) -> None:
    proved = Proved(server)
    for now in (NOW, NOW + 1):
        proved.before(now)
    assert proved.told == [[("true.example", True), ("other.example", True)]]
    server.zones["other.example"] = "everything"
    health = asyncio.run(proved.zone_probes.before([TRUE, OTHER], NOW + 2))
    assert len(health) == 2, "it was good a moment ago"
    proved.before(NOW + 300_000)
    assert len(proved.told) == 2


def test_a_zone_that_turned_is_known_by_the_probe_after(server: NameServer) -> None:
    async def scene(proved: Proved) -> tuple[ZoneHealth, list[Zone]]:
        asked = await proved.zone_probes.before([TRUE, OTHER], NOW)
        server.zones["other.example"] = {}
        found = await proved.zone_probes.after(asked, NOW)
        assert found["true.example"].proven == ("ips",)
        return found["other.example"], await proved.zone_probes.before([TRUE, OTHER], NOW + 1)

    health, usable = asyncio.run(scene(Proved(server)))
    assert (health.usable, health.proven) == (True, ())
    assert health.reason == "it does not list its test point 127.0.0.2"
    assert len(usable) == 2


def test_a_resolver_that_finds_no_test_point_is_passed_over_for_one_that_does(server: NameServer) -> None:
    with NameServer({}, {}).running() as lying:
        proved = Proved(lying, server)
        assert proved.before() == ["true.example", "other.example"]
        assert {health.proven for health in proved.zone_probes.health.values()} == {("ips",)}


def test_a_zone_that_the_dictionary_lost_is_forgotten(server: NameServer) -> None:
    proved = Proved(server)
    proved.before()
    asyncio.run(proved.zone_probes.before([TRUE], NOW))
    assert set(proved.zone_probes.health) == {"true.example"}
