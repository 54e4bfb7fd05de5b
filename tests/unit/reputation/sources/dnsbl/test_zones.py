"""The dictionary of blocklists: what is shipped can be used, and gives way to the operator."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from mailvane.reputation.model import Zone
from mailvane.reputation.sources.dnsbl.zones import dictionary, shipped


@pytest.mark.parametrize("zone", shipped(), ids=lambda zone: zone.host)
def test_a_shipped_zone_makes_sense(zone: Zone) -> None:
    assert zone.host == zone.host.lower().strip(".")
    assert "." in zone.host
    assert zone.lists
    assert set(zone.lists) <= {"ips", "ipv6", "domains"}
    for name in (*zone.codes, *zone.refusals, *zone.harmless):
        if name.startswith("&"):
            assert int(name[1:]).bit_count() == 1
        else:
            assert IPv4Network(name).subnet_of(IPv4Network("127.0.0.0/8"))


def test_the_zones_of_weight_are_among_them_and_dead_ones_are_not() -> None:
    hosts = {zone.host: zone for zone in shipped()}
    assert len(hosts) == len(shipped())
    assert all(hosts[host].high_reputation for host in ("zen.spamhaus.org", "bl.spamcop.net", "dbl.spamhaus.org"))
    assert not any("sorbs" in host for host in hosts)


def test_a_changed_zone_takes_the_place_of_the_shipped_one() -> None:
    changed = [Zone(host="zen.spamhaus.org", enabled=False), Zone(host="own.example")]
    found = {zone.host: zone for zone in dictionary(changed)}
    assert not found["zen.spamhaus.org"].enabled
    assert "own.example" in found
    assert len(found) == len(shipped()) + 1
