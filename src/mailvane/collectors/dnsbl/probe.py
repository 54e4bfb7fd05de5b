"""Whether a zone tells the truth, before it is believed: RFC 5782's test points, and a name that no list has."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from mailvane.collectors.dnsbl.answers import verdict_of
from mailvane.collectors.dnsbl.names import query_name
from mailvane.collectors.resolving.lookups import Lookups, Unanswered
from mailvane.domain.blocklists import Outcome
from mailvane.domain.reputation import AssetKind, Zone, ZoneHealth

# For what each sort of list must have, and what it must not.
_POINTS = {
    "ips": (AssetKind.IP, "127.0.0.2", "127.0.0.1"),
    "ipv6": (AssetKind.IP, "::ffff:7f00:2", "::ffff:7f00:1"),
    "domains": (AssetKind.DOMAIN, "test", "invalid"),
}


async def probe(zone: Zone, lookups: Lookups, now: int) -> ZoneHealth:
    """A zone that lists what it must not is not asked; one that lacks what it must have is, with a warning."""
    try:
        told = await lookups.addresses(f"{secrets.token_hex(8)}.{zone.host}")
        if told:
            # A refusal is no listing, and who reads it knows what to do: ask by another resolver, or register.
            return _unusable(zone, now, verdict_of(zone, told).reason or "it lists everything it is asked about")
        warnings = [await _points(zone, lists, lookups) for lists in zone.lists if lists in _POINTS]
    except _Untrue as error:
        return _unusable(zone, now, str(error))
    except Unanswered as error:
        return _unusable(zone, now, f"it does not answer: {error}")
    return ZoneHealth(host=zone.host, usable=True, reason="; ".join(filter(None, warnings)), checked_at=now)


class _Untrue(Exception):
    """It lists what it must not."""


async def _points(zone: Zone, lists: str, lookups: Lookups) -> str:
    kind, there, absent = _POINTS[lists]
    if verdict_of(zone, await _asked(zone, kind, absent, lookups)).outcome is Outcome.LISTED:
        raise _Untrue(f"it lists {absent}, which no list may")
    found = verdict_of(zone, await _asked(zone, kind, there, lookups))
    if found.outcome is Outcome.UNKNOWN:
        raise Unanswered(found.reason)
    return "" if found.outcome is Outcome.LISTED else f"it does not list its test point {there}"


async def _asked(zone: Zone, kind: AssetKind, name: str, lookups: Lookups) -> Sequence[str]:
    return await lookups.addresses(f"{query_name(kind, name)}.{zone.host}")


def _unusable(zone: Zone, now: int, reason: str) -> ZoneHealth:
    return ZoneHealth(host=zone.host, usable=False, reason=reason, checked_at=now)
