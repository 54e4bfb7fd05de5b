"""GP_DOMAIN_REPUTATION: Google holds a domain in one of these reputations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Meta

from mailvane.alerts.names import DomainNames, stands_for_all
from mailvane.alerts.rule import Rule, record_of, records
from mailvane.alerts.traffic import Reputation
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import AssetKind, ObservationKind


class GpDomainReputation(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_DOMAIN_REPUTATION"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_domains: DomainNames
    gp_domain_reputations: Annotated[tuple[Reputation, ...], Meta(min_length=1)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        everything = stands_for_all(self.gp_domains)
        names = view.watched(AssetKind.GP_DOMAIN, profile_id) if everything else self.gp_domains
        for day in records(view, self.READS, names):
            reputation = day.data.get("domainReputation")
            if reputation in self.gp_domain_reputations:
                yield Match(
                    item={"domain": day.asset, "gp_domain_reputation": reputation},
                    record=record_of(day, ("domainReputation",)),
                    identity=(day.asset, str(reputation)),
                    at=day.at,
                )
