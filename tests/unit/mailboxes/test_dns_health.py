"""What a real name server says of a mailbox's domain, judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailvane.core.dns.lookups import Lookups
from mailvane.mailboxes.dns_health import asking
from mailvane.mailboxes.health import DnsHealth, Exchanger, RecordStatus
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

VALID, MISSING, INVALID, UNKNOWN = (
    RecordStatus.VALID, RecordStatus.MISSING, RecordStatus.INVALID, RecordStatus.UNKNOWN,
)  # fmt: skip
RECORDS = {
    ("good.example", "MX"): "20 mx2.good.example.|10 mx1.good.example.",
    ("good.example", "TXT"): '"v=spf1 mx -all"|"site-verification=1"',
    ("s1._domainkey.good.example", "TXT"): '"v=DKIM1; k=rsa; p=MIIB" "IjAN"',
    ("_dmarc.good.example", "TXT"): '"v=DMARC1; p=quarantine"',
    ("bad.example", "MX"): "0 .",
    ("bad.example", "TXT"): '"v=spf1 +all"',
    ("mail._domainkey.bad.example", "TXT"): '"v=DKIM1; p="',
    ("_dmarc.bad.example", "TXT"): '"v=DMARC1; p=perhaps"',
    ("twice.example", "A"): "192.0.2.1",
    ("twice.example", "TXT"): '"v=spf1 -all"|"v=spf1 mx -all"',
    ("_dmarc.twice.example", "TXT"): '"v=DMARC1; p=none"|"v=DMARC1; p=reject"',
    ("spoken.example", "TXT"): '"v=spf10 -all"',
}


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer({"failing.example": "failing"}, RECORDS).running() as running:
        yield running


def health(server: NameServer, domain: str) -> DnsHealth:
    ask = asking(lambda: Lookups([f"127.0.0.1:{server.port}"], timeout=PATIENCE), ("mail", "s1"))
    return ask(domain)


@pytest.mark.parametrize(
    ("domain", "statuses", "score"),
    [
        ("good.example", (VALID, VALID, VALID, VALID), 100),
        ("bad.example", (INVALID, INVALID, INVALID, INVALID), 0),
        ("twice.example", (VALID, INVALID, MISSING, INVALID), 25),  # its address stands in for an MX
        ("spoken.example", (MISSING, MISSING, MISSING, MISSING), 0),
        ("below.good.example", (MISSING, MISSING, MISSING, VALID), 25),  # the policy of the name above holds
        ("failing.example", (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), 0),
    ],
)
def test_a_domain(server: NameServer, domain: str, statuses: tuple[RecordStatus, ...], score: int) -> None:
    found = health(server, domain)
    assert (found.mx.status, found.spf.status, found.dkim.status, found.dmarc.status) == statuses
    assert (found.score, found.is_known) == (score, UNKNOWN not in statuses)


def test_what_was_found_is_told(server: NameServer) -> None:
    found = health(server, "good.example")
    assert found.mx.records == (Exchanger("mx1.good.example", 10), Exchanger("mx2.good.example", 20))
    assert (found.spf.record, found.dkim.selector, found.dkim.record) == (
        "v=spf1 mx -all", "s1", "v=DKIM1; k=rsa; p=MIIBIjAN",
    )  # fmt: skip
    assert health(server, "below.good.example").dmarc.found_at == "good.example"
