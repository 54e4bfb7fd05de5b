"""Under which name a blocklist is asked, and which are asked at all."""

from __future__ import annotations

import pytest

from mailvane.reputation.model import AssetKind
from mailvane.reputation.sources.dnsbl.names import family, query_name, reverse_name

IPV6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"


@pytest.mark.parametrize(
    ("kind", "name", "asked", "lists"),
    [
        (AssetKind.IP, "192.0.2.1", "1.2.0.192", "ips"),
        (AssetKind.IP, "2001:db8::1", IPV6, "ipv6"),
        (AssetKind.DOMAIN, "a.example", "a.example", "domains"),
    ],
)
def test_numbers_are_asked_in_reverse_and_domains_as_they_are(
    kind: AssetKind, name: str, asked: str, lists: str
) -> None:
    assert query_name(kind, name) == asked
    assert family(kind, name) == lists


def test_a_reverse_name_ends_in_arpa() -> None:
    assert reverse_name("192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse_name("2001:db8::1") == f"{IPV6}.ip6.arpa"
