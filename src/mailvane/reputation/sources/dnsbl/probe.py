"""Whether a zone tells the truth, before it is believed: RFC 5782's test points (section 5), and a name no list has."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.reputation.blocklists import Outcome
from mailvane.reputation.model import AssetKind, Zone, ZoneHealth
from mailvane.reputation.sources.dnsbl.answers import verdict_of
from mailvane.reputation.sources.dnsbl.names import query_name

# For what each sort of list must have, and what it must not.
_POINTS = {
    "ips": (AssetKind.IP, "127.0.0.2", "127.0.0.1"),
    "ipv6": (AssetKind.IP, "::ffff:7f00:2", "::ffff:7f00:1"),
    "domains": (AssetKind.DOMAIN, "test", "invalid"),
}


async def probe(zone: Zone, lookups: Lookups, now: int) -> ZoneHealth:
    """A zone that lists what it must not cannot be used. Of one that lacks what it must have, listings are believed;
    `proven` names the lists whose test point is there, and so whose silence means "not listed".
    """
    lists = [one for one in zone.lists if one in _POINTS]
    invented, *found = await asyncio.gather(
        lookups.addresses(f"{secrets.token_hex(8)}.{zone.host}"),
        *(_has_its_point(zone, one, lookups) for one in lists),
        return_exceptions=True,
    )
    if isinstance(invented, list) and invented:
        # A refusal is no listing, and who reads it knows what to do: ask by another resolver, or register.
        return _unusable(zone, now, verdict_of(zone, invented).reason or "it lists everything it is asked about")
    for told in (invented, *found):
        if isinstance(told, BaseException):
            return _unusable(zone, now, _why(told))
    proven = tuple(one for one, there in zip(lists, found, strict=True) if there)
    missing = [f"it does not list its test point {_POINTS[one][1]}" for one in lists if one not in proven]
    return ZoneHealth(host=zone.host, usable=True, reason="; ".join(missing), checked_at=now, proven=proven)


def worst(probes: Iterable[Mapping[str, ZoneHealth]]) -> dict[str, ZoneHealth]:
    """By host: what every one of several probes says of a zone."""
    found: dict[str, ZoneHealth] = {}
    for one in probes:
        for host, health in one.items():
            found[host] = _both(found[host], health) if host in found else health
    return found


def _both(first: ZoneHealth, second: ZoneHealth) -> ZoneHealth:
    if not (first.usable and second.usable):
        return second if first.usable else first
    proven = tuple(lists for lists in first.proven if lists in second.proven)
    less = second if len(second.proven) <= len(first.proven) else first
    return msgspec.structs.replace(less, proven=proven)


class _Untrue(Exception):
    """It lists what it must not."""


def _why(error: BaseException) -> str:
    if isinstance(error, _Untrue):
        return str(error)
    if isinstance(error, Unanswered):
        return f"it does not answer: {error}"
    raise error


async def _has_its_point(zone: Zone, lists: str, lookups: Lookups) -> bool:
    kind, there, absent = _POINTS[lists]
    points = (_asked(zone, kind, name, lookups) for name in (absent, there))
    nothing, point = await asyncio.gather(*points, return_exceptions=True)
    if isinstance(nothing, BaseException):
        raise nothing
    if verdict_of(zone, nothing).outcome is Outcome.LISTED:
        raise _Untrue(f"it lists {absent}, which no list may")
    if isinstance(point, BaseException):
        raise point
    verdict = verdict_of(zone, point)
    if verdict.outcome is Outcome.UNKNOWN:
        raise Unanswered(verdict.reason)
    return verdict.outcome is Outcome.LISTED


async def _asked(zone: Zone, kind: AssetKind, name: str, lookups: Lookups) -> Sequence[str]:
    return await lookups.addresses(f"{query_name(kind, name)}.{zone.host}")


def _unusable(zone: Zone, now: int, reason: str) -> ZoneHealth:
    return ZoneHealth(host=zone.host, usable=False, reason=reason, checked_at=now)
