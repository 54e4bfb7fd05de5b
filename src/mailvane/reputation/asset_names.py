"""The one spelling of each thing that is watched: addresses, networks of them, domains, mail addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mailvane.core.errors import InvalidInput
from mailvane.core.names import checked_name
from mailvane.reputation.model import AssetKind

LARGEST_NETWORK = 4096  # addresses that one line may stand for
_LOCAL_PART = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}")


def normalized(kind: AssetKind, text: str) -> list[str]:
    """What a line names: one asset, or each address of a network. Raises InvalidInput."""
    return list(_READ[kind](text.strip()))


def names_in(kind: AssetKind, text: str) -> int:
    """How many assets a line names, before a single one is made. Raises InvalidInput for what is no network."""
    return _network(text.strip()).num_addresses if kind is AssetKind.IP and "/" in text else 1


def _addresses(text: str) -> Iterator[str]:
    if "/" in text:
        yield from map(str, _network(text))
    else:
        yield _address(text)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"{text[:80]!r} is no network") from None
    if network.num_addresses > LARGEST_NETWORK:
        raise InvalidInput(f"{text[:80]} has more than {LARGEST_NETWORK} addresses")
    return network


def _address(text: str) -> str:
    try:
        # A zone (`%eth0`) names an interface of one machine; nobody else knows anything of such an address.
        return str(ip_address(text if "%" not in text else ""))
    except ValueError:
        raise InvalidInput(f"{text[:80]!r} is no IP address") from None


def _domain(text: str) -> Iterator[str]:
    yield checked_name(text)


def _address_or_domain(text: str) -> Iterator[str]:
    try:
        yield _address(text)
    except InvalidInput:
        yield from _domain(text)


def _mail_address(text: str) -> Iterator[str]:
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        raise InvalidInput(f"{text[:80]!r} is no mail address")
    yield f"{local.lower()}@{next(_domain(domain))}"


def _label(text: str) -> Iterator[str]:
    if not 0 < len(text) <= 200 or not text.isprintable():
        raise InvalidInput("a name of 1 to 200 visible characters is wanted")
    yield text


_READ: Mapping[AssetKind, Callable[[str], Iterator[str]]] = {
    AssetKind.IP: _addresses,
    AssetKind.DOMAIN: _domain,
    AssetKind.GP_DOMAIN: _domain,
    AssetKind.SNDS: _label,
    AssetKind.TRAP: _address_or_domain,
    AssetKind.LOOKALIKE: _domain,
    AssetKind.DMARC: _domain,
    AssetKind.HONEYTOKEN: _mail_address,
}
# What people call one of a kind.
NOUNS: Mapping[AssetKind, str] = {
    AssetKind.IP: "address",
    AssetKind.DOMAIN: "domain",
    AssetKind.GP_DOMAIN: "domain of Postmaster Tools",
    AssetKind.SNDS: "SNDS key",
    AssetKind.LOOKALIKE: "brand",
    AssetKind.DMARC: "domain whose reports come here",
    AssetKind.TRAP: "address or domain of spam traps",
    AssetKind.HONEYTOKEN: "honeytoken",
}
