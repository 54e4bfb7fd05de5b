"""Under which name a blocklist is asked about an address or domain (RFC 5782), and which are asked at all. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from mailvane.reputation.model import AssetKind

LISTS = ("ips", "ipv6", "domains")  # what a zone may list


def query_name(kind: AssetKind, name: str) -> str:
    """What stands before the zone: numbers in reverse order, nibbles in reverse order, or the domain as it is."""
    return reverse_labels(name) if kind is AssetKind.IP else name


@lru_cache(1024)
def reverse_labels(address: str) -> str:
    """Of an IPv4 address its numbers from the last to the first, of an IPv6 address its 32 nibbles likewise."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return ".".join(reversed(str(parsed).split(".")))
    return ".".join(reversed(parsed.exploded.replace(":", "")))


def reverse_name(address: str) -> str:
    """Where its PTR record stands."""
    suffix = "ip6.arpa" if ":" in address else "in-addr.arpa"
    return f"{reverse_labels(address)}.{suffix}"


def family(kind: AssetKind, name: str) -> str:
    """Which of a zone's `lists` must be there before it is asked about this."""
    if kind is not AssetKind.IP:
        return "domains"
    return "ipv6" if ":" in name else "ips"
