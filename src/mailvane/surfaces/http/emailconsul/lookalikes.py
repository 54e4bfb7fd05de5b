"""Brands and the domains that imitate them over HTTP. Blocking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.domain.reputation import Asset, AssetKind, Observation, ObservationKind
from mailvane.errors import NotFound
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import DomainsBody, StateBody, read, several, window
from mailvane.surfaces.http.emailconsul.watched import Watch
from mailvane.surfaces.http.endpoints import Asked
from mailvane.surfaces.http.services import ReputationServices

_KIND = ObservationKind.LOOKALIKE


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.BrandObject]:
    names = {asset.name for asset in assets}
    known = Counter(one.asset for one in services.watching.latest(asked.workspace, (_KIND,), names) if _exists(one))
    return [
        shape.BrandObject(**shape.watched(asset), domain=asset.name, lookalikes=known[asset.name]) for asset in assets
    ]


def _exists(one: Observation) -> bool:
    return not one.data.get("gone")


BRANDS = Watch(AssetKind.LOOKALIKE, _shown, DomainsBody)


def listed(services: ReputationServices, asked: Asked) -> shape.Page:
    """The lookalikes of a brand that exist."""
    part = window(asked.query, ("name", "-name"))
    brand = BRANDS.asset(services, asked)
    states, needle = several(asked.query, "state"), asked.query.get("lookalike", "").lower()
    rows = [
        row
        for row in (_row(brand, one) for one in _of(services, asked, brand))
        if needle in row.lookalike and (not states or row.state in states)
    ]
    rows.sort(key=lambda row: row.lookalike, reverse=part.sort.startswith("-"))
    return shape.page(part.of(rows), len(rows), part)


def classify(services: ReputationServices, asked: Asked) -> shape.LookalikeObject:
    """Keep what somebody thinks of a lookalike; alerts leave ignored ones out."""
    given: StateBody = read(StateBody, asked.body)
    brand, lookalike = BRANDS.asset(services, asked), asked.path["lookalike_id"]
    found = next((one for one in _of(services, asked, brand) if one.key == lookalike), None)
    if found is None:
        raise NotFound(f"there is no lookalike {lookalike} of this domain")

    def classified(asset: Asset) -> Asset:
        states = {**asset.details.get("states", {}), lookalike: given.state}
        return msgspec.structs.replace(asset, details={**asset.details, "states": states})

    return _row(services.watching.change(asked.workspace, AssetKind.LOOKALIKE, brand.id, classified), found)


def _of(services: ReputationServices, asked: Asked, brand: Asset) -> list[Observation]:
    return [one for one in services.watching.latest(asked.workspace, (_KIND,), {brand.name}) if _exists(one)]


def _row(brand: Asset, one: Observation) -> shape.LookalikeObject:
    data: Mapping[str, Any] = one.data
    return shape.LookalikeObject(
        id=one.key,
        lookalike=one.key,
        score=data.get("score"),
        dnssec=data.get("dnssec"),
        name_servers=data.get("name_servers") or (),
        reg_created_date=shape.maybe_date(data.get("reg_created_date")),
        reg_updated_date=shape.maybe_date(data.get("reg_updated_date")),
        registrar=data.get("registrar"),
        registrar_abuse_email=data.get("registrar_abuse_email"),
        state=brand.details.get("states", {}).get(one.key, "UNCLASSIFIED"),
        p=data.get("p"),
        spf_detected=data.get("spf_detected"),
        updated_at=shape.date(max(one.seen_at, one.confirmed_at)),
    )
