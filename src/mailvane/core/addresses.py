"""Which IP addresses belong to the public internet, whatever they are wrapped in. Pure; all that fetch ask it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Of IANA's special-purpose registries, what `ipaddress` takes for global in one version of Python or another.
_SPECIAL_4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    IPv4Network("192.88.99.0/24"),  # former 6to4 relays, RFC 7526
)
_UNICAST_6 = IPv6Network("2000::/3")  # all that IANA gives out
_SPECIAL_6 = (
    IPv6Network("2001::/23"),  # protocol assignments, RFC 2928
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
_TEREDO = IPv6Network("2001::/32")
# Prefixes of 96 bits, before the IPv4 address that is meant: mapped, translated (RFC 2765) and NAT64 (RFC 6052).
_WRAPPINGS = (IPv6Network("::ffff:0:0/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b::/96"))
_ISATAP = (0x5EFE, 0x0200_5EFE)  # RFC 5214: before the IPv4 address in the interface's half
_LOW_32 = 0xFFFF_FFFF


def is_address(text: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address and all that it stands for belong to the internet."""
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _SPECIAL_4)
        return address.is_global and not (special or address.is_multicast or address.is_reserved)
    wrapped = list(_wrapped(address))
    if not all(map(is_public, wrapped)):
        return False
    if address in _TEREDO or any(address in network for network in _WRAPPINGS):
        return True
    return address in _UNICAST_6 and address.is_global and not any(address in network for network in _SPECIAL_6)


def is_public_text(text: str) -> bool:
    """Of an address as a resolver writes it; a zone (`%eth0`) says nothing of where it leads."""
    try:
        return is_public(ip_address(text.partition("%")[0]))
    except ValueError:
        return False


def _wrapped(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that packets to this one may go to."""
    number = int(address)
    if any(address in network for network in _WRAPPINGS) or (number >> 32 & _LOW_32) in _ISATAP:
        yield IPv4Address(number & _LOW_32)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
