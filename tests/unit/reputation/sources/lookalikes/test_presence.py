"""Which domains are there, asked of a real name server, whatever it makes up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from mailvane.core.dns.lookups import Unanswered
from mailvane.core.errors import CollectionFailed
from mailvane.reputation.sources.lookalikes.presence import DomainLookups, MailPolicy, Presence
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

RECORDS = {
    ("served.example", "NS"): "ns2.host.example.|ns1.host.example.",
    ("served.example", "MX"): "10 mx.host.example.",
    ("addressed.example", "A"): "192.0.2.1",
    ("mailed.example", "MX"): "10 mx.host.example.",
    ("mute.example", "MX"): "0 .",
    ("served.example", "TXT"): '"v=spf1 -all"',
    ("_dmarc.served.example", "TXT"): '"v=DMARC1; p=Reject; rua=mailto:x@served.example"',
    ("_dmarc.double.example", "TXT"): '"v=DMARC1; p=none"|"v=DMARC1; p=reject"',
    ("_dmarc.odd.example", "TXT"): '"v=DMARC1; sp=none; p=never"',
}
_T = TypeVar("_T")


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({}, RECORDS).running() as running:
        yield running


def asked(server: NameServer, question: Callable[[DomainLookups], Awaitable[_T]], timeout: float = PATIENCE) -> _T:
    async def answer() -> _T:
        return await question(DomainLookups([f"127.0.0.1:{server.port}"], timeout=timeout))

    return asyncio.run(answer())


def presences(server: NameServer, *names: str, timeout: float = PATIENCE) -> dict[str, Presence]:
    return asked(server, lambda lookups: lookups.presences(names, ["example"]), timeout)


def test_a_domain_is_there_by_any_of_its_records(server: NameServer) -> None:
    found = presences(server, "served.example", "addressed.example", "mailed.example", "mute.example", "none.example")
    assert found["served.example"] == Presence(("ns1.host.example", "ns2.host.example"), has_exchangers=True)
    assert [name for name, each in found.items() if each.is_there] == [
        "served.example",
        "addressed.example",
        "mailed.example",
    ]


def test_what_everything_below_an_ending_has_says_nothing(server: NameServer) -> None:
    class Everywhere(dict[tuple[str, str], str]):
        def get(self, key: tuple[str, str], default: str | None = None) -> str | None:  # type: ignore[override]
            return super().get(key, "192.0.2.80" if key[1] == "A" else default)

    server.records = Everywhere(RECORDS)
    found = presences(server, "none.example", "served.example", "addressed.example")
    assert [name for name, each in found.items() if each.is_there] == ["served.example"]


def test_a_resolver_that_makes_up_delegations_is_not_believed(server: NameServer) -> None:
    class Liar(dict[tuple[str, str], str]):
        def get(self, key: tuple[str, str], default: str | None = None) -> str | None:  # type: ignore[override]
            return "ns.ads.example." if key[1] == "NS" else default

    server.records = Liar()
    with pytest.raises(CollectionFailed, match="not there"):
        presences(server, "none.example")


def test_a_resolver_that_is_silent_says_nothing_of_anybody(server: NameServer) -> None:
    server.zones = {"example": "silent"}
    with pytest.raises(CollectionFailed, match="no resolver"):
        presences(server, "a.example", "b.example", timeout=0.2)


def test_a_domain_of_which_nothing_is_known_is_left_out(server: NameServer) -> None:
    server.zones = {"broken.example": "failing"}
    assert set(presences(server, "served.example", "x.broken.example")) == {"served.example"}


def finding(server: NameServer, *names: str, of: str = "served.example") -> dict[str, Presence]:
    return asked(server, lambda lookups: lookups.presences(names, ["example"], [of]))


def test_that_a_domain_is_not_there_is_known_beside_one_that_is(server: NameServer) -> None:
    assert set(finding(server, "addressed.example", "none.example")) == {"addressed.example", "none.example"}
    assert set(finding(server, "addressed.example", "none.example", of="gone.example")) == {"addressed.example"}
    server.turning = {"none.example": ("example", "nothing")}
    assert set(finding(server, "served.example", "none.example")) <= {"served.example"}, "it broke meanwhile"


def test_a_resolver_that_finds_nothing_at_all_says_nothing_of_anybody(server: NameServer) -> None:
    server.records = {}
    with pytest.raises(CollectionFailed, match="finds nothing"):
        finding(server, "addressed.example", "none.example")
    with pytest.raises(Unanswered):
        asked(server, lambda lookups: lookups.policy("served.example"))


def test_a_resolver_that_begins_to_know_everything_makes_up_nobody(server: NameServer) -> None:
    server.zones = {"example": {}}
    server.turning = {"a.example": ("example", "everything")}
    assert [name for name, each in finding(server, "a.example", "served.example").items() if each.is_there] == [
        "served.example"
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("served.example", MailPolicy("reject", spf_detected=True)),
        ("double.example", MailPolicy(None, spf_detected=False)),  # two records are none (RFC 7489, 6.6.3)
        ("odd.example", MailPolicy(None, spf_detected=False)),
        ("mailed.example", MailPolicy(None, spf_detected=False)),
    ],
)
def test_a_domain_says_what_becomes_of_mail_in_its_name(server: NameServer, name: str, expected: MailPolicy) -> None:
    assert asked(server, lambda lookups: lookups.policy(name)) == expected
