"""Types about blocklists: an address or a domain is listed, or is no more. `MV_` types are not of the vendor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import HIGH_REPUTATION, Addresses, DomainNames, Rule, ZoneNames, meant
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import LISTED_SINCE, AssetKind, Observation, ObservationKind


def _wanted(view: View, zones: Collection[str]) -> frozenset[str]:
    """The blocklists that are named, and those that a word for many stands for."""
    named = frozenset(zones) - {HIGH_REPUTATION}
    return named | view.high_reputation if HIGH_REPUTATION in zones else named


def listed(
    view: View, kind: ObservationKind, names: Collection[str], zones: Collection[str], label: str
) -> Iterator[Match]:
    """The open listings of these assets on these blocklists."""
    wanted = _wanted(view, zones)
    listings = view.kept(("listed", kind), lambda: _open(view, kind))
    for name in dict.fromkeys(names) if len(names) < len(listings) else (name for name in listings if name in names):
        open_listings = listings.get(name, ())
        if not any(one.key in wanted for one in open_listings):
            continue
        record = {
            label: name,
            "blacklisted": True,
            "rbl_result": [{"lookup_host": one.key} for one in open_listings],
            "updated_at": max(one.confirmed_at for one in open_listings),
        }
        for one in open_listings:
            if one.key in wanted:
                yield Match(item={label: name, "rbl": one.key}, record=record, identity=(name, one.key), at=one.at)


def _open(view: View, kind: ObservationKind) -> dict[str, Sequence[Observation]]:
    found = {
        name: [one for one in observations if one.data.get("listed")] for name, observations in view.about(kind).items()
    }
    return {name: observations for name, observations in found.items() if observations}


class IpInRbl(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "IP_IN_RBL"
    READS: ClassVar[ObservationKind] = ObservationKind.IP_LISTING

    ips: Addresses
    rbls: ZoneNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.IP, profile_id, self.ips)
        return listed(view, self.READS, names, self.rbls, "ip")


class DomainInRbl(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "DOMAIN_IN_RBL"
    READS: ClassVar[ObservationKind] = ObservationKind.DOMAIN_LISTING

    domains: DomainNames
    rbls: ZoneNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.DOMAIN, profile_id, self.domains)
        return listed(view, self.READS, names, self.rbls, "domain")


def ended(
    view: View, kind: ObservationKind, names: Collection[str], zones: Collection[str], label: str
) -> Iterator[Match]:
    """The listings of these assets on these blocklists that ended within a day, and have not begun again."""
    wanted = _wanted(view, zones)
    for one in view.since(kind, view.now - DAY_MS):
        since = one.data.get(LISTED_SINCE)
        if one.data.get("listed") or not isinstance(since, int) or one.key not in wanted or one.asset not in names:
            continue
        hours = round((one.at - since) / HOUR_MS, 1)
        yield Match(
            item={label: one.asset, "rbl": one.key, "value": hours},
            record={label: one.asset, "rbl": one.key, LISTED_SINCE: since, "ended_at": one.at},
            identity=(one.asset, one.key, str(one.at)),
            at=one.at,
        )


class IpListingEnded(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "MV_IP_LISTING_ENDED"
    READS: ClassVar[ObservationKind] = ObservationKind.IP_LISTING

    ips: Addresses
    rbls: ZoneNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.IP, profile_id, self.ips)
        return ended(view, self.READS, names, self.rbls, "ip")


class DomainListingEnded(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "MV_DOMAIN_LISTING_ENDED"
    READS: ClassVar[ObservationKind] = ObservationKind.DOMAIN_LISTING

    domains: DomainNames
    rbls: ZoneNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.DOMAIN, profile_id, self.domains)
        return ended(view, self.READS, names, self.rbls, "domain")


RULES = (IpInRbl, DomainInRbl, IpListingEnded, DomainListingEnded)
