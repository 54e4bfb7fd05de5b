"""Domains of Google Postmaster Tools and the records of their days over HTTP. Blocking.

# ours: the shapes of `run`, `history` and `available_count`, of which the vendor publishes the paths only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import BY_NAME, DomainsBody, period, recent, several, window
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Source
from mailvane.reputation.questions import ObservationQuestion, TrafficFilter
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

SPAN = ("stats_date_from", "stats_date_to")


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.GpDomainObject]:
    question = _days(asked, recent(asked.query, asked.now, SPAN), assets={asset.name for asset in assets})
    days = services.observed.observations_by_asset(question)
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
    part = window(asked.query, BY_NAME)
    since, until = recent(asked.query, asked.now, SPAN)
    traffic = TrafficFilter(
        since=since,
        until=until,
        is_needed=asked.query.get("hide_without_stats", "").lower() in {"true", "1"},
        reputations=several(asked.query, "domain_reputations"),
        address_part=asked.query.get("ip", ""),
    )
    question = msgspec.structs.replace(GP_DOMAINS.question(asked), traffic=traffic)
    found = services.watched_assets.page(question, part.offset, part.limit, part.descending)
    return shape.page(_shown(services, asked, found.assets), found.total, part)


def _days(asked: Asked, span: tuple[int, int], **more: Any) -> ObservationQuestion:
    return ObservationQuestion(
        workspace=asked.workspace, kind=ObservationKind.TRAFFIC, since=span[0], until=span[1], **more
    )


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
            for one in services.watched_assets.health(asked.workspace)
            if one.source is Source.POSTMASTER
        ]
    )


def available_count(services: ReputationServices, asked: Asked) -> Mapping[str, Any]:
    """There is no limit of how many may be watched."""
    return {"data": {"count": services.watched_assets.count(asked.workspace, AssetKind.GP_DOMAIN), "available": None}}


def delivery_errors(services: ReputationServices, asked: Asked) -> shape.Rows:
    """The mean ratio of each error of each domain, over the days that have it."""
    return shape.Rows(
        [
            {"domain": one.domain, "error_class": one.error_class, "error_type": one.error_type, "avg": one.mean}
            for one in services.observed.error_ratios(_days(asked, period(asked.query)))
        ]
    )
