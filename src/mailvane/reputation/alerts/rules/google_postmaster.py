"""Types about what Google Postmaster Tools tell of a watched domain's mail, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from mailvane.reputation.alerts.comparing import Ratio
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.rule import (
    Addresses,
    DomainNames,
    Field,
    Rule,
    comparing,
    meant,
    one_comparison,
    record_of,
    records,
    stands_for_all,
)
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind


class Reputation(StrEnum):
    REPUTATION_CATEGORY_UNSPECIFIED = "REPUTATION_CATEGORY_UNSPECIFIED"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    BAD = "BAD"


def addresses(day: Observation) -> Iterator[tuple[str, str]]:
    """Each address that a day's record names, behind its reputation."""
    for group in day.data.get("ipReputations") or ():
        for address in group.get("sampleIps") or ():
            yield str(group.get("reputation", "")), str(address)


def _share(name: str, field: str) -> type[Rule]:
    """A share of the domain's mail, which a field of the record holds."""
    shown = Field(ObservationKind.TRAFFIC, AssetKind.GP_DOMAIN, field, (field,))
    return one_comparison(
        name, ObservationKind.TRAFFIC, Ratio, lambda view, profile, ratio: comparing(view, profile, ratio, shown)
    )


class GpDeliveryErrorRatio(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_DELIVERY_ERROR_RATIO"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_delivery_error_ratio: Ratio

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        watched = view.watched(AssetKind.GP_DOMAIN, profile_id)
        for day in view.known(self.READS):
            if day.asset not in watched:
                continue
            for error in day.data.get("deliveryErrors") or ():
                value = error.get("errorRatio")
                if isinstance(value, int | float) and self.gp_delivery_error_ratio.holds(value):
                    kind, reason = str(error.get("errorClass", "")), str(error.get("errorType", ""))
                    yield Match(
                        item={
                            "domain": day.asset,
                            "gp_delivery_error_class": kind,
                            "gp_delivery_error_type": reason,
                            "value": value,
                        },
                        record=record_of(day, ("deliveryErrors",)),
                        identity=(day.asset, kind, reason),
                        at=day.at,
                    )


class GpDomainReputation(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "GP_DOMAIN_REPUTATION"
    READS: ClassVar[ObservationKind] = ObservationKind.TRAFFIC

    gp_domains: DomainNames
    gp_domain_reputations: Annotated[tuple[Reputation, ...], Meta(min_length=1)]

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        for day in records(view, self.READS, meant(view, AssetKind.GP_DOMAIN, profile_id, self.gp_domains)):
            reputation = day.data.get("domainReputation")
            if reputation in self.gp_domain_reputations:
                yield Match(
                    item={"domain": day.asset, "gp_domain_reputation": reputation},
                    record=record_of(day, ("domainReputation",)),
                    identity=(day.asset, str(reputation)),
                    at=day.at,
                )


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


RULES = (
    _share("GP_SPF_SUCCESS_RATIO", "spfSuccessRatio"),
    _share("GP_DKIM_SUCCESS_RATIO", "dkimSuccessRatio"),
    _share("GP_DMARC_SUCCESS_RATIO", "dmarcSuccessRatio"),
    _share("GP_INBOUND_ENCRYPTION_RATIO", "inboundEncryptionRatio"),
    _share("GP_OUTBOUND_ENCRYPTION_RATIO", "outboundEncryptionRatio"),
    _share("GP_USER_REPORTED_SPAM_RATIO", "userReportedSpamRatio"),
    GpDeliveryErrorRatio,
    GpDomainReputation,
    GpIpReputation,
)
