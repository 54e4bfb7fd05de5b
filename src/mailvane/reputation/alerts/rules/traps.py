"""Types about mail that reached spam traps and honeytokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.names import Addresses, DomainNames
from mailvane.reputation.alerts.rule import Rule
from mailvane.reputation.alerts.trap_hits import caught
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind


class TrapsIp(Rule, frozen=True, kw_only=True):
    """A watched address sent mail to a spam trap within a day."""

    TYPE: ClassVar[str] = "TRAPS_IP"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAP_HIT

    traps_ips: Addresses

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return caught(view, profile_id, self.traps_ips, "ip")


class TrapsDomainFrom(Rule, frozen=True, kw_only=True):
    """A watched domain sent mail to a spam trap within a day."""

    TYPE: ClassVar[str] = "TRAPS_DOMAIN_FROM"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAP_HIT

    traps_domains_from: DomainNames

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return caught(view, profile_id, self.traps_domains_from, "domain_from")


class HoneytokenDomainCountPerPeriod(Rule, frozen=True, kw_only=True):
    """A domain sent so much mail to addresses that were given to others only."""

    # ours: the vendor names the type and publishes no configuration.
    TYPE: ClassVar[str] = "HONEYTOKEN_DOMAIN_COUNT_PER_PERIOD"
    READS: ClassVar[ObservationKind] = ObservationKind.HONEYTOKEN_HIT

    honeytoken_domain_count_per_period: AmountInTime

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        amount = self.honeytoken_domain_count_per_period
        tokens = view.watched(AssetKind.HONEYTOKEN, profile_id)
        hits = [
            hit
            for hit in view.since(self.READS, view.now - amount.time_range.milliseconds)
            if hit.asset in tokens and not _is_trusted(view, hit)
        ]
        counts = Counter(str(hit.data.get("domain", "")) for hit in hits)
        for domain, count in counts.items():
            if domain and amount.holds(count):
                stretch = amount.time_range.value
                yield Match(
                    item={"domain": domain, "time_range": stretch, "honeytoken_domain_count_per_period": count},
                    record={"domain": domain, "time_range": stretch, "count": count},
                    identity=(domain, stretch),
                    at=max(hit.at for hit in hits if hit.data.get("domain") == domain),
                )


def _is_trusted(view: View, hit: Observation) -> bool:
    trusted = view.details(AssetKind.HONEYTOKEN, hit.asset).get("trusted_domains", ())
    return hit.data.get("domain") in trusted


RULES = (TrapsIp, TrapsDomainFrom, HoneytokenDomainCountPerPeriod)
