"""Types about mail that reached spam traps and honeytokens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.comparing import AmountInTime
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import Addresses, DomainNames, Rule, stands_for_all
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind

_MOST_HITS = 10  # of a name, that a snapshot shows


def caught(view: View, profile_id: str | None, given: Collection[str], field: str) -> Iterator[Match]:
    """The watched names that appear in a field of the day's hits."""
    watched = view.watched(AssetKind.TRAP, profile_id)
    label = f"traps_{field}"
    everything = stands_for_all(given)
    for name, hits in view.kept(("caught", field), lambda: _by_field(view, field)).items():
        if name in watched and (everything or name in given):
            yield Match(
                item={label: name, "value": len(hits)},
                record={label: name, "hits": _newest(hits)},
                identity=(name,),
                at=hits[-1].at,
            )


def _newest(hits: Sequence[Observation]) -> list[dict[str, object]]:
    """The last of these mails as the log shows them, so that one is found by the other."""
    return [{"id": hit.key, "timestamp": hit.at, **hit.data} for hit in hits[-_MOST_HITS:]]


def _by_field(view: View, field: str) -> dict[str, Sequence[Observation]]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for hit in view.since(ObservationKind.TRAP_HIT, view.now - DAY_MS):
        if name := hit.data.get(field):
            found[str(name)].append(hit)
    return dict(found)


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
                by_domain = [hit for hit in hits if hit.data.get("domain") == domain]
                stretch = amount.time_range.value
                yield Match(
                    item={"domain": domain, "time_range": stretch, "honeytoken_domain_count_per_period": count},
                    record={"domain": domain, "time_range": stretch, "count": count, "hits": _newest(by_domain)},
                    identity=(domain, stretch),
                    at=by_domain[-1].at,
                )


def _is_trusted(view: View, hit: Observation) -> bool:
    trusted = view.details(AssetKind.HONEYTOKEN, hit.asset).get("trusted_domains", ())
    return hit.data.get("domain") in trusted


RULES = (TrapsIp, TrapsDomainFrom, HoneytokenDomainCountPerPeriod)
