"""Domains of Google Postmaster Tools and the records of their days over HTTP. Blocking.

# ours: the shapes of `run`, `history` and `available_count`, of which the vendor publishes the paths only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mailvane.domain.reputation import Asset, AssetKind, Observation, ObservationKind, Source
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import DomainsBody, period, recent, several, window
from mailvane.surfaces.http.emailconsul.watched import Watch
from mailvane.surfaces.http.endpoints import Asked
from mailvane.surfaces.http.services import ReputationServices

_SPAN = ("stats_date_from", "stats_date_to")
_NO_REPUTATION = "REPUTATION_CATEGORY_UNSPECIFIED"


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.GpDomainObject]:
    days = _days(services, asked, *recent(asked.query, asked.now, _SPAN))
    return [
        shape.GpDomainObject(
            **shape.watched(asset),
            domain=asset.name,
            deleted_at=None,
            traffic_stats=[_record(day) for day in reversed(days.get(asset.name, []))],
        )
        for asset in assets
    ]


GP_DOMAINS = Watch(AssetKind.GP_DOMAIN, _shown, DomainsBody)


def listed(services: ReputationServices, asked: Asked) -> shape.Page:
    """With the filters that look into the records."""
    part = window(asked.query, ("name", "-name"))
    days = _days(services, asked, *recent(asked.query, asked.now, _SPAN))
    found = [
        asset
        for asset in services.watching.assets(
            asked.workspace, AssetKind.GP_DOMAIN, asked.query.get("profile_id") or None
        )
        if _is_wanted(asset.name, days.get(asset.name, ()), asked.query)
    ]
    found.sort(key=lambda one: one.name, reverse=part.sort.startswith("-"))
    return shape.page(_shown(services, asked, part.of(found)), len(found), part)


def _is_wanted(name: str, days: Sequence[Observation], query: Mapping[str, str]) -> bool:
    reputations, address = several(query, "domain_reputations"), query.get("ip", "")
    newest = str(days[-1].data.get("domainReputation", _NO_REPUTATION)) if days else _NO_REPUTATION
    return (
        query.get("domain", "").lower() in name
        and (not reputations or newest in reputations)
        and (query.get("hide_without_stats", "").lower() not in {"true", "1"} or bool(days))
        and (not address or any(address in sample for day in days for sample in _samples(day)))
    )


def _samples(day: Observation) -> list[str]:
    return [str(ip) for group in day.data.get("ipReputations") or () for ip in group.get("sampleIps") or ()]


def _days(services: ReputationServices, asked: Asked, since: int, until: int) -> Mapping[str, list[Observation]]:
    """By domain, oldest first."""
    found: dict[str, list[Observation]] = defaultdict(list)
    for day in services.watching.observations(asked.workspace, (ObservationKind.TRAFFIC,), since, until):
        found[day.asset].append(day)
    return found


def _record(day: Observation) -> Mapping[str, Any]:
    date = shape.day(day.at)
    return {"key": f"{day.asset}:{date}", "domain": day.asset, "date_timestamp": shape.date(day.at), **day.data}


def history(services: ReputationServices, asked: Asked) -> shape.Rows:
    """How Google was asked lately."""
    return shape.Rows(
        [
            {
                "succeeded_at": shape.maybe_date(one.succeeded_at),
                "failed_at": shape.maybe_date(one.failed_at),
                "error": one.error,
                "failures": one.failures,
            }
            for one in services.watching.health(asked.workspace)
            if one.source is Source.POSTMASTER
        ]
    )


def available_count(services: ReputationServices, asked: Asked) -> Mapping[str, Any]:
    """There is no limit of how many may be watched."""
    return {"data": {"count": len(services.watching.assets(asked.workspace, AssetKind.GP_DOMAIN)), "available": None}}


def delivery_errors(services: ReputationServices, asked: Asked) -> shape.Rows:
    """The mean ratio of each error of each domain, over the days that have it."""
    ratios: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for domain, days in _days(services, asked, *period(asked.query)).items():
        for error in (error for day in days for error in day.data.get("deliveryErrors") or ()):
            ratios[domain, error.get("errorClass", ""), error.get("errorType", "")].append(error.get("errorRatio", 0))
    return shape.Rows(
        [
            {"domain": domain, "error_class": kind, "error_type": reason, "avg": sum(values) / len(values)}
            for (domain, kind, reason), values in sorted(ratios.items())
        ]
    )
