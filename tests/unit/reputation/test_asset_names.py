"""The one spelling of each thing that is watched."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.model import AssetKind


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        (AssetKind.IP, " 192.0.2.1 ", ["192.0.2.1"]),
        (AssetKind.IP, "2001:DB8:0::1", ["2001:db8::1"]),
        (AssetKind.IP, "192.0.2.8/30", ["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"]),
        (AssetKind.IP, "192.0.2.9/32", ["192.0.2.9"]),
        (AssetKind.IP, "192.0.2.0/255.255.255.254", ["192.0.2.0", "192.0.2.1"]),
        (AssetKind.DOMAIN, "News.Example.", ["news.example"]),
        (AssetKind.DOMAIN, "bücher.example", ["xn--bcher-kva.example"]),
        (AssetKind.TRAP, "192.0.2.1", ["192.0.2.1"]),
        (AssetKind.TRAP, "Trap.Example", ["trap.example"]),
        (AssetKind.HONEYTOKEN, "List-7@Example.org", ["list-7@example.org"]),
        (AssetKind.SNDS, "main account", ["main account"]),
    ],
)
def test_a_name_has_one_spelling(kind: AssetKind, text: str, names: list[str]) -> None:
    assert normalized(kind, text) == names


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (AssetKind.IP, "192.0.2.300"),
        (AssetKind.IP, "news.example"),
        (AssetKind.IP, ""),
        (AssetKind.IP, "10.0.0.0/8"),
        (AssetKind.IP, "2001:db8::/64"),
        (AssetKind.IP, "192.0.2.0/33"),
        (AssetKind.IP, "fe80::1%eth0"),
        (AssetKind.TRAP, "fe80::1%eth0"),
        (AssetKind.DOMAIN, "example"),
        (AssetKind.DOMAIN, "192.0.2.1"),
        (AssetKind.DOMAIN, "a b.example"),
        (AssetKind.DOMAIN, "a\0b.example"),
        (AssetKind.TRAP, "-"),
        (AssetKind.HONEYTOKEN, "example.org"),
        (AssetKind.HONEYTOKEN, "@example.org"),
        (AssetKind.HONEYTOKEN, "a b@example.org"),
        (AssetKind.SNDS, ""),
        (AssetKind.SNDS, "a\nb"),
    ],
)
def test_what_cannot_be_a_name_is_refused(kind: AssetKind, text: str) -> None:
    with pytest.raises(InvalidInput):
        normalized(kind, text)
