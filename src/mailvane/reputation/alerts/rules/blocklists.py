"""Types about blocklists: an address or a domain is listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.reputation.alerts.listings import listed
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.names import Addresses, DomainNames
from mailvane.reputation.alerts.rule import Names, Rule, meant
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, ObservationKind


class IpInRbl(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "IP_IN_RBL"
    READS: ClassVar[ObservationKind] = ObservationKind.IP_LISTING

    ips: Addresses
    rbls: Names

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.IP, profile_id, self.ips)
        return listed(view, self.READS, names, self.rbls, "ip")


class DomainInRbl(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "DOMAIN_IN_RBL"
    READS: ClassVar[ObservationKind] = ObservationKind.DOMAIN_LISTING

    domains: DomainNames
    rbls: Names

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        names = meant(view, AssetKind.DOMAIN, profile_id, self.domains)
        return listed(view, self.READS, names, self.rbls, "domain")


RULES = (IpInRbl, DomainInRbl)
