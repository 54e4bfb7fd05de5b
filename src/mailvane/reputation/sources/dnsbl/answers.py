"""What the answer of a blocklist means (RFC 5782). A refusal or a forged answer means unknown. Pure."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from mailvane.reputation.blocklists import Outcome, Verdict
from mailvane.reputation.model import Zone

_ANSWERS = IPv4Network("127.0.0.0/8")
_REFUSALS = IPv4Network("127.255.255.0/24")
_NOTHING = IPv4Address("127.0.0.1")  # by the RFC it lists nothing; some zones say "you may not ask" by it


def verdict_of(zone: Zone, addresses: Collection[str]) -> Verdict:
    """No addresses: the name is not there, so it is not listed."""
    if not addresses:
        return clear(zone.host)
    codes = tuple(sorted(set(addresses), key=lambda text: int(_parsed(text))))
    refused = next((code for code in codes if _says_nothing(code, zone)), "")
    if refused:
        return Verdict(zone=zone.host, outcome=Outcome.UNKNOWN, codes=codes, reason=_why(refused))
    telling = [code for code in codes if not _is_named(code, zone.harmless)]
    if not telling:
        return Verdict(zone=zone.host, outcome=Outcome.CLEAR, codes=codes)
    found = dict.fromkeys(meaning for code in telling for name, meaning in zone.codes.items() if _fits(code, name))
    return Verdict(zone=zone.host, outcome=Outcome.LISTED, codes=codes, meaning="; ".join(found))


@lru_cache(4096)
def clear(host: str) -> Verdict:
    """The name is not there: by far the most frequent verdict."""
    return Verdict(zone=host, outcome=Outcome.CLEAR)


@lru_cache(4096)
def _parsed(code: str) -> IPv4Address:
    return IPv4Address(code)


def unanswered(zone: Zone, reason: str) -> Verdict:
    return Verdict(zone=zone.host, outcome=Outcome.UNKNOWN, reason=reason)


def _says_nothing(code: str, zone: Zone) -> bool:
    address = _parsed(code)
    return address not in _ANSWERS or address in _REFUSALS or address == _NOTHING or _is_named(code, zone.refusals)


def _why(code: str) -> str:
    if _parsed(code) not in _ANSWERS:
        return f"answered {code}, which no blocklist does: the resolver, or the zone's new owner, rewrites answers"
    return f"answered {code}: it refuses the question"


def _is_named(code: str, names: Collection[str]) -> bool:
    return any(_fits(code, name) for name in names)


def _fits(code: str, name: str) -> bool:
    """An address, a network, or `&8`: a bit of the last number."""
    if name.startswith("&"):
        return bool(int(code.rpartition(".")[2]) & int(name[1:]))
    return _parsed(code) in _network(name)


@lru_cache(4096)
def _network(name: str) -> IPv4Network:
    return IPv4Network(name)
