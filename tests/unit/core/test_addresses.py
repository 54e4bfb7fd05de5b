"""What is public stays so, and what is not, however it is written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.addresses import is_public, is_public_text

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
    "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001:db8::1",
    "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.88.99.1", "64:ff9b:1::808:808",
    "2002:7f00:1::1", "2002:a9fe:a9fe::", "::ffff:0:7f00:1", "::7f00:1", "fec0::1", "3fff::1", "5f00::1", "100::1",
    "4000::1",
    "2606:4700::5efe:a00:1", "2606:4700::200:5efe:7f00:1", "2001:20::1", "2001:0:7f00:1::", "::ffff:192.0.0.8",
]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_public_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "93.184.215.14",
        "8.8.8.8",
        "2606:4700:4700::1111",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "2001:4860:4860::8888",
    ],
)
def test_what_is_public_passes(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_a_private_address_stays_private_in_every_wrapping(address: IPv4Address) -> None:
    number = int(address)
    for wrapped in (
        0xFFFF << 32 | number,
        0x2002 << 112 | number << 80,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | number,
    ):
        assert not is_public(IPv6Address(wrapped))


@pytest.mark.parametrize("text", ["fe80::1%eth0", "not an address", "", "127.0.0.1%1", "2606:4700::1%eth0"])
def test_a_resolver_s_text_is_judged_without_its_zone(text: str) -> None:
    assert is_public_text(text) == text.startswith("2606")
