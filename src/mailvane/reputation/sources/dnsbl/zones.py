"""The dictionary of blocklists: what is shipped, with what the operator changed laid over it. Asks nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from ipaddress import IPv4Address, ip_address

import msgspec

from mailvane.reputation.model import AssetKind, Zone


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zone: list[Zone]


@cache
def shipped() -> tuple[Zone, ...]:
    """What `zones.toml` says, by host."""
    text = resources.files(__package__).joinpath("zones.toml").read_text(encoding="utf-8")
    read = msgspec.convert(tomllib.loads(text), _Table)
    return tuple(sorted(read.zone, key=lambda zone: zone.host))


def dictionary(changed: Iterable[Zone] = ()) -> list[Zone]:
    """By host. A zone that was changed takes the place of the shipped one; others are added."""
    merged = {zone.host: zone for zone in (*shipped(), *changed)}
    return [merged[host] for host in sorted(merged)]


# Under which name a blocklist is asked about an address or domain (RFC 5782), and which are asked at all. Pure.


LISTS = ("ips", "ipv6", "domains")  # what a zone may list


def query_name(kind: AssetKind, name: str) -> str:
    """What stands before the zone: numbers in reverse order, nibbles in reverse order, or the domain as it is."""
    return reverse_labels(name) if kind is AssetKind.IP else name


def reverse_labels(address: str) -> str:
    """Of an IPv4 address its numbers from the last to the first, of an IPv6 address its 32 nibbles likewise."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return ".".join(reversed(str(parsed).split(".")))
    return ".".join(reversed(parsed.exploded.replace(":", "")))


def reverse_name(address: str) -> str:
    """Where its PTR record stands."""
    suffix = "in-addr.arpa" if ip_address(address).version == 4 else "ip6.arpa"
    return f"{reverse_labels(address)}.{suffix}"


def family(kind: AssetKind, name: str) -> str:
    """Which of a zone's `lists` must be there before it is asked about this."""
    if kind is not AssetKind.IP:
        return "domains"
    return "ips" if ip_address(name).version == 4 else "ipv6"
