"""Only true listings are told, whatever blocklists do; asked of a real name server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import pytest

from mailvane.core.dns.lookups import Lookups
from mailvane.core.errors import CollectionFailed, InvalidInput, InvalidSetting
from mailvane.reputation.blocklists import Outcome
from mailvane.reputation.model import Asset, AssetKind, Observation, Refresh, Zone
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.dnsbl import make
from mailvane.reputation.sources.dnsbl.collector import Blocklists
from mailvane.reputation.sources.dnsbl.zones import dictionary
from tests.unit.reputation.sources.dnsbl.name_server import TEST_POINTS, NameServer
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000
LISTED, CLEAR = "192.0.2.10", "192.0.2.11"
ZONES: dict[str, Any] = {
    "true.example": {**TEST_POINTS, "10.2.0.192": "127.0.0.2|127.0.0.4", "bad.example": "127.0.1.2"},
    "empty.example": {"10.2.0.192": "127.0.0.2"},  # lacks its test point
    "loopback.example": {**TEST_POINTS, "1.0.0.127": "127.0.0.2", "10.2.0.192": "127.0.0.2"},
    "everything.example": "everything",
    "refusing.example": "refusing",
    "hijacked.example": "hijacked",
    "failing.example": "failing",
    "silent.example": "silent",
}
RECORDS = {
    ("10.2.0.192.true.example", "TXT"): '"seen in" " a trap"',
    ("10.2.0.192.in-addr.arpa", "PTR"): "mx.example.",
    ("mx.example", "A"): LISTED,
    ("11.2.0.192.in-addr.arpa", "PTR"): "mx.example.",
    ("bad.example", "TXT"): '"v=spf1 -all"',
    ("_dmarc.bad.example", "TXT"): '"v=DMARC1; p=reject"',
}


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(ZONES, RECORDS).running() as running:
        yield running


def blocklists(server: NameServer, *hosts: str, timeout: float = PATIENCE) -> Blocklists:
    """A collector whose dictionary is these zones alone."""
    off = [Zone(host=zone.host, enabled=False) for zone in dictionary()]
    ours = [
        Zone(
            host=host,
            lists=("ips", "domains") if host == "true.example" else ("ips",),
            codes={"127.0.0.4": "exploited"},
        )
        for host in hosts or ZONES
    ]
    return Blocklists(Lookups([f"127.0.0.1:{server.port}"], timeout=timeout), lambda: [*off, *ours])


def asset(name: str, kind: AssetKind = AssetKind.IP) -> Asset:
    return Asset(id=name, workspace=1, kind=kind, name=name, created_at=0)


def refreshed(collector: Blocklists, *assets: Asset, now: int = NOW) -> dict[str, Refresh]:
    async def collect() -> list[Refresh]:
        return [refresh async for refresh in collector.refresh(assets, now)]

    return {refresh.asset: refresh for refresh in asyncio.run(collect())}


def listings(refresh: Refresh) -> dict[str, bool]:
    return {one.key: one.data["listed"] for one in refresh.observations}


def test_only_zones_that_tell_the_truth_are_believed(server: NameServer) -> None:
    collector = blocklists(server, timeout=1.0)
    found = refreshed(collector, asset(LISTED), asset(CLEAR))
    assert listings(found[LISTED]) == {"true.example": True, "empty.example": True}
    assert listings(found[CLEAR]) == {"true.example": False}, (
        "the silence of a list without its test point says nothing"
    )
    assert found[CLEAR].details["rbl_answered"] == 1
    assert set(found[CLEAR].details["rbl_unknown"]) == set(ZONES) - {"true.example"}
    assert {host for host, health in collector.health.items() if not health.usable} == {
        "loopback.example", "everything.example", "refusing.example", "hijacked.example", "failing.example",
        "silent.example",
    }  # fmt: skip
    assert "does not list its test point" in collector.health["empty.example"].reason
    assert collector.health["everything.example"].reason == "it lists everything it is asked about"
    assert collector.health["refusing.example"].reason == "answered 127.255.255.254: it refuses the question"
    assert "rewrites answers" in collector.health["hijacked.example"].reason


def test_a_listing_comes_with_codes_and_the_zones_own_words(server: NameServer) -> None:
    (told,) = refreshed(blocklists(server, "true.example"), asset(LISTED))[LISTED].observations
    assert told.data == {"listed": True, "codes": ["127.0.0.2", "127.0.0.4"], "reason": "seen in a trap"}
    check = asyncio.run(blocklists(server, "true.example").check(AssetKind.IP, [LISTED, CLEAR], NOW))
    assert (check.listed, check.unknown) == (True, False)
    assert [found.outcome for found in check.findings] == [Outcome.LISTED, Outcome.CLEAR]
    assert [found.verdicts[0].outcome for found in check.findings] == [Outcome.LISTED, Outcome.CLEAR]
    assert check.findings[0].verdicts[0].meaning == "exploited"


def test_a_zone_that_falls_silent_after_its_probe_is_unknown(server: NameServer) -> None:
    collector = blocklists(server, "true.example", "empty.example", timeout=1.0)
    refreshed(collector, asset(LISTED))
    server.zones["true.example"] = "refusing"
    found = refreshed(collector, asset(CLEAR), now=NOW + 1)[CLEAR]
    assert found.observations == ()
    assert found.error.startswith("no blocklist answers: ")
    server.zones["empty.example"] = "silent"
    with pytest.raises(CollectionFailed, match="no blocklist can be used"):
        refreshed(collector, asset(LISTED), now=NOW + 2)
    server.zones["empty.example"] = ZONES["empty.example"]
    found = refreshed(collector, asset(LISTED), now=NOW + 3)[LISTED]
    assert (listings(found), found.error) == ({"empty.example": True}, "")


def test_an_address_that_the_zone_fails_for_is_unknown_whatever_its_test_point_says(server: NameServer) -> None:
    server.zones["11.2.0.192.true.example"] = "failing"
    server.zones = dict(sorted(server.zones.items(), key=lambda item: -len(item[0])))
    collector = blocklists(server, "true.example")
    found = refreshed(collector, asset(LISTED), asset(CLEAR))
    assert listings(found[LISTED]) == {"true.example": True}
    assert (found[CLEAR].observations, found[CLEAR].error) == (
        (),
        "no blocklist answers: true.example: SERVFAIL",
    )


@pytest.mark.parametrize("turned", ["everything", "refusing", "hijacked", "failing", {}], ids=str)
@pytest.mark.parametrize("when", ["before", "while it is asked"])
def test_no_list_is_believed_that_does_not_pass_its_probe_on_both_sides(
    server: NameServer, turned: dict[str, str] | str, when: str
) -> None:
    """However lately it did before: within the hour a resolver breaks, or is taken over."""
    collector = blocklists(server, "true.example", "loyal.example")
    server.zones["loyal.example"] = ZONES["true.example"]
    assert set(listings(refreshed(collector, asset(LISTED))[LISTED]).values()) == {True}
    if when == "before":
        server.zones["true.example"] = turned
    else:
        server.turning = {"10.2.0.192.true.example": ("true.example", turned), "11.2.0.192.true.example": ("", "")}
    found = refreshed(collector, asset(LISTED), asset(CLEAR), now=NOW + 1)
    assert listings(found[LISTED]) == {"loyal.example": True}
    assert listings(found[CLEAR]) == {"loyal.example": False}
    assert found[CLEAR].details["rbl_unknown"] == ["true.example"]
    server.turning, server.zones["true.example"] = {}, ZONES["true.example"]
    found = refreshed(collector, asset(LISTED), asset(CLEAR), now=NOW + 2)
    assert listings(found[LISTED]) == {"true.example": True, "loyal.example": True}
    assert listings(found[CLEAR]) == {"true.example": False, "loyal.example": False}


def test_a_resolver_that_finds_nothing_at_all_makes_nothing_known(server: NameServer) -> None:
    server.zones = {host: {} for host in ZONES}
    server.records = {}
    collector = blocklists(server)
    found = refreshed(collector, asset(LISTED), asset("bad.example", AssetKind.DOMAIN))
    assert [refresh.observations for refresh in found.values()] == [(), ()]
    assert found[LISTED].error == "no blocklist answers: empty.example: it does not list its test point 127.0.0.2"
    check = asyncio.run(collector.check(AssetKind.IP, [LISTED], NOW))
    assert (check.listed, check.unknown, check.findings[0].outcome) == (False, True, Outcome.UNKNOWN)
    assert check.findings[0].details == {}, "that it has no reverse name is unknown as well"


def test_a_second_resolver_that_finds_nothing_clears_nobody(server: NameServer) -> None:
    """The first one is silent about this address, so the other is asked."""
    server.zones = {"10.2.0.192.true.example": "silent", **server.zones}
    with NameServer({}, {}).running() as lying:
        collector = blocklists(server, "true.example")
        resolvers = [f"127.0.0.1:{one.port}" for one in (server, lying)]
        two = Blocklists(Lookups(resolvers, timeout=2.0), collector.changed)
        found = refreshed(two, asset(LISTED))[LISTED]
        assert found.observations == ()
        assert found.error.startswith("no blocklist answers: ")
        del server.zones["10.2.0.192.true.example"]
        assert listings(refreshed(two, asset(LISTED), now=NOW + 1)[LISTED]) == {"true.example": True}


def test_test_points_are_asked_for_once_for_hundreds_of_addresses(server: NameServer) -> None:
    names = [f"198.51.{part}.{number}" for part in range(4) for number in range(256)]
    refreshed(blocklists(server, "true.example"), *map(asset, names))
    assert server.asked.count("2.0.0.127.true.example") == 3


def test_an_address_in_a_file_is_known_by_its_one_spelling() -> None:
    (told,) = read('{"ip":"2001:DB8:0::1","rbl":"x","listed":true}')
    assert told.asset == "2001:db8::1"


def test_domains_are_asked_of_domain_lists_alone(server: NameServer) -> None:
    found = refreshed(blocklists(server, "true.example", "empty.example"), asset("bad.example", AssetKind.DOMAIN))
    assert listings(found["bad.example"]) == {"true.example": True}
    assert found["bad.example"].details == {
        "spf": "v=spf1 -all", "dmarc": "v=DMARC1; p=reject", "rbl_answered": 1, "rbl_unknown": []
    }  # fmt: skip


def test_an_address_that_no_list_is_for_is_not_called_clear(server: NameServer) -> None:
    found = refreshed(blocklists(server, "true.example"), asset("2001:db8::1"))["2001:db8::1"]
    assert (found.error, found.observations, found.details["rbl_answered"]) == ("", (), 0)


def test_a_reverse_name_is_right_when_it_leads_back(server: NameServer) -> None:
    found = refreshed(blocklists(server, "true.example"), asset(LISTED), asset(CLEAR), asset("192.0.2.12"))
    assert [found[name].details["wrong_rdns"] for name in (LISTED, CLEAR, "192.0.2.12")] == [False, True, True]
    assert found[LISTED].details["dns_lookup_result"] == [{"rDNS": "mx.example", "addresses": [LISTED]}]


def test_without_any_usable_zone_nothing_is_said(server: NameServer) -> None:
    with pytest.raises(CollectionFailed, match=r"failing\.example: it does not answer: SERVFAIL"):
        refreshed(blocklists(server, "failing.example"), asset(LISTED))


def test_many_assets_are_asked_about_at_once(server: NameServer) -> None:
    names = [f"198.51.100.{number}" for number in range(200)]
    found = refreshed(blocklists(server, "true.example"), *map(asset, names))
    assert sorted(found) == sorted(names)
    assert all(listings(refresh) == {"true.example": False} for refresh in found.values())


def read(text: str) -> list[Observation]:
    collector = make(ReputationSettings(resolvers=("127.0.0.1",)))
    return [
        one for refresh in collector.read(io.BytesIO(text.encode()), "x.jsonl", NOW) for one in refresh.observations
    ]


def test_a_file_tells_what_was_listed_when() -> None:
    told = read(
        '{"ip":"192.0.2.1","rbl":"BL.example","listed":true,"at":5}\n\n{"domain":"A.example","rbl":"x","listed":false}\n'
    )
    assert [(one.asset, one.key, one.at, one.data["listed"]) for one in told] == [
        ("192.0.2.1", "bl.example", 5, True),
        ("a.example", "x", NOW, False),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"ip":"nonsense","rbl":"x","listed":true}',
        '{"domain":"a b","rbl":"x","listed":true}',
        '{"ip":"192.0.2.1","rbl":"x","listed":true,"at":-1}',
        '{"rbl":"x","listed":true}',
        '{"ip":"1","domain":"a","rbl":"x","listed":true}',
        "{",
        "[]",
        "\\xff",
        '{"x":' * 20_000,
    ],
    ids=lambda line: line[:12],
)
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(InvalidInput, match=r"x\.jsonl, line 2: "):
        read('{"ip":"192.0.2.1","rbl":"x","listed":true}\n' + line)


@pytest.mark.parametrize("text", ["nonsense", "127.0.0.1:0", "127.0.0.1:x", "dns.example:53", ""])
def test_a_resolver_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        make(ReputationSettings(resolvers=(text,)))
