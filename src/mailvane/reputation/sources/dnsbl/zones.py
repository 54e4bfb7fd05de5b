"""The dictionary of blocklists: what is shipped, with what the operator changed laid over it. Asks nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache, lru_cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network, ip_address

import msgspec

from mailvane.core.decoding import prepared
from mailvane.reputation.blocklists import Findings, Outcome, Verdict
from mailvane.reputation.model import AssetKind, Zone, ZoneHealth


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zone: list[Zone]


@cache
def shipped() -> tuple[Zone, ...]:
    """What `zones.toml` says, by host."""
    text = resources.files(__package__).joinpath("zones.toml").read_text(encoding="utf-8")
    read = msgspec.convert(tomllib.loads(text), prepared(_Table))
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


# What the answer of a blocklist means (RFC 5782). A refusal or a forged answer means unknown. Pure.


_ANSWERS = IPv4Network("127.0.0.0/8")
_REFUSALS = IPv4Network("127.255.255.0/24")
_NOTHING = IPv4Address("127.0.0.1")  # by the RFC it lists nothing; some zones say "you may not ask" by it


def verdict_of(zone: Zone, addresses: Collection[str]) -> Verdict:
    """No addresses: the name is not there, so it is not listed."""
    if not addresses:
        return _clear(zone.host)
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
def _clear(host: str) -> Verdict:
    """By far the most frequent verdict."""
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


# Which answers between two probes count. Unknown is not no: silence of a zone that failed its probe is unknown. Pure.


class Judge:
    """Knows how the zones did on both sides of the questions, by host."""

    def __init__(self, health: Mapping[str, ZoneHealth]) -> None:
        self._health = health
        # Where no test point at all was found, the resolver may be broken: a name that it does not find may exist.
        self._resolver_proven = any(one.usable and one.proven for one in health.values())
        self._proven = {
            lists: frozenset(one.host for one in health.values() if one.usable and lists in one.proven)
            for lists in LISTS
        }

    def believed(self, found: Findings) -> Findings:
        """With no verdict left that its zone, or the resolver, gives no ground for."""
        proven = self._proven[family(found.kind, found.name)]
        verdicts = found.verdicts
        if any(verdict.zone not in proven for verdict in verdicts):
            verdicts = tuple(self._judged(verdict, proven) for verdict in verdicts)
        outcomes = {verdict.outcome for verdict in verdicts}
        return msgspec.structs.replace(
            found,
            verdicts=verdicts,
            details=found.details if self._resolver_proven else {},
            outcome=next((one for one in (Outcome.LISTED, Outcome.CLEAR) if one in outcomes), Outcome.UNKNOWN),
        )

    def _judged(self, verdict: Verdict, proven: frozenset[str]) -> Verdict:
        """A list without its test point can list, and cannot clear."""
        health = self._health[verdict.zone]
        if verdict.outcome is Outcome.UNKNOWN or verdict.zone in proven:
            return verdict
        if verdict.outcome is Outcome.LISTED and health.usable:
            return verdict
        return Verdict(zone=verdict.zone, outcome=Outcome.UNKNOWN, codes=verdict.codes, reason=health.reason)
