"""Addresses and domains with the blocklists that list them, and the dictionary of blocklists. Blocking."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from mailvane.core.errors import InvalidFields
from mailvane.reputation.blocklists import ANSWERED, UNKNOWN
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import DomainsBody, IpsBody, chosen
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

_LISTING = {AssetKind.IP: ObservationKind.IP_LISTING, AssetKind.DOMAIN: ObservationKind.DOMAIN_LISTING}
KINDS = ("", "ips", "domains")
_HEADINGS = frozenset({"ip", "ips", "domain", "domains", "address", "name", "host"})


def _shown(
    kind: AssetKind, services: ReputationServices, asked: Asked, assets: Sequence[Asset]
) -> list[shape.IpObject | shape.DomainObject]:
    listings = services.observed.observations_by_asset(
        ObservationQuestion(
            workspace=asked.workspace,
            kind=_LISTING[kind],
            newest_only=True,
            assets={asset.name for asset in assets},
            true=("listed",),
        )
    )
    fresh_since = asked.now - services.alerting.stale_ms
    return [_with_listings(asset, listings.get(asset.name, ()), fresh_since) for asset in assets]


def _with_listings(
    found: Asset, listings: Sequence[Observation], fresh_since: int
) -> shape.IpObject | shape.DomainObject:
    listed = tuple(shape.Listed(one.key) for one in listings)
    details = found.details
    unknown = tuple(shape.Listed(host) for host in details.get(UNKNOWN, ()))
    if found.kind is AssetKind.IP:
        return shape.IpObject(
            **shape.watched(found),
            ip=found.name,
            blacklisted=_is_blacklisted(found, listed, fresh_since),
            wrong_rdns=details.get("wrong_rdns"),
            rbl_result=listed,
            rbl_unknown=unknown,
            dns_lookup_result=details.get("dns_lookup_result", []),
        )
    return shape.DomainObject(
        **shape.watched(found),
        domain=found.name,
        blacklisted=_is_blacklisted(found, listed, fresh_since),
        rbl_result=listed,
        rbl_unknown=unknown,
        spf=details.get("spf"),
        dkim=details.get("dkim"),
        dmarc=details.get("dmarc"),
    )


def _is_blacklisted(found: Asset, listed: Sequence[shape.Listed], fresh_since: int) -> bool | None:
    """None where no blocklist gave a valid answer, recently or ever: unknown is not no."""
    if listed:
        return True
    is_known = found.updated_at and found.updated_at >= fresh_since and found.details.get(ANSWERED, 1)
    return False if is_known else None


IPS = Watch(AssetKind.IP, partial(_shown, AssetKind.IP), IpsBody, filter="ip")
DOMAINS = Watch(AssetKind.DOMAIN, partial(_shown, AssetKind.DOMAIN), DomainsBody)


def read_csv(watch: Watch, services: ReputationServices, asked: Asked) -> shape.Rows:
    """Add what stands in the first column; a heading is left out. Raises InvalidFields."""
    try:
        text = asked.body.decode("utf-8-sig")
        rows = list(csv.reader(text.splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidFields(("body", f"is no CSV: {error}")) from None
    return watch.added(services, asked, list(_first_column(rows)), asked.query.get("profile_id") or None)


def _first_column(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    for place, row in enumerate(rows):
        name = row[0].strip() if row else ""
        if name and not (place == 0 and name.lower() in _HEADINGS):
            yield f"line {place + 1}", name


def changes(watch: Watch, services: ReputationServices, asked: Asked) -> Mapping[str, object]:
    """When it was listed where, and when that ended; the newest first."""
    found = watch.asset(services, asked)
    observations = services.watched_assets.observations(
        asked.workspace, (_LISTING[found.kind],), 0, asked.now + 1, found.name
    )
    label = "ip" if found.kind is AssetKind.IP else "domain"
    return {"data": {label: found.name, "data": [shape.change(one) for one in reversed(observations)]}}


def dictionary(services: ReputationServices, asked: Asked) -> shape.Rows:
    kind = chosen(asked.query, "type", KINDS)
    return shape.Rows(
        [
            shape.zone(zone, each)
            for each in ("ips", "domains")
            for zone in services.dictionary()
            if zone.enabled and kind in {"", each} and (each in zone.lists or (each == "ips" and "ipv6" in zone.lists))
        ]
    )
