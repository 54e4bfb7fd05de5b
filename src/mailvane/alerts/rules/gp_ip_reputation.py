"""GP_IP_REPUTATION: Google holds an address in one of these reputations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Meta

from mailvane.alerts.names import Addresses, stands_for_all
from mailvane.alerts.rule import Rule, record_of
from mailvane.alerts.traffic import Reputation, addresses
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import AssetKind, ObservationKind


class GpIpReputation(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_IP_REPUTATION"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_ips: Addresses
    gp_ip_reputations: Annotated[tuple[Reputation, ...], Meta(min_length=1)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        watched = view.watched(AssetKind.GP_DOMAIN, profile_id)
        everything = stands_for_all(self.gp_ips)
        for day in view.known(self.READS):
            if day.asset not in watched:
                continue
            for reputation, address in addresses(day):
                if reputation in self.gp_ip_reputations and (everything or address in self.gp_ips):
                    yield Match(
                        item={"domain": day.asset, "ip": address, "gp_ip_reputation": reputation},
                        record=record_of(day, ("ipReputations",)),
                        identity=(day.asset, address, reputation),
                        at=day.at,
                    )
