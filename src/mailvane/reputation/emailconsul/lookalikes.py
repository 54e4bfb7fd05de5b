"""Brands and the domains that imitate them over HTTP. Blocking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import NotFound
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import BY_NAME, DomainsBody, StateBody, read, several, window
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

_UNCLASSIFIED = "UNCLASSIFIED"


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.BrandObject]:
    existing = _existing(asked, {asset.name for asset in assets})
    known = {one.asset: one.count for one in services.observed.sums_by_asset(existing, ())}
    return [
        shape.BrandObject(**shape.watched(asset), domain=asset.name, lookalikes=known.get(asset.name, 0))
        for asset in assets
    ]


def _existing(asked: Asked, brands: Collection[str], **more: Any) -> ObservationQuestion:
    """The lookalikes of brands, as seen last, without those that are gone."""
    return ObservationQuestion(
        workspace=asked.workspace,
        kind=ObservationKind.LOOKALIKE,
        newest_only=True,
        assets=brands,
        not_true=("gone",),
        **more,
    )


BRANDS = Watch(AssetKind.LOOKALIKE, _shown, DomainsBody)


def listed(services: ReputationServices, asked: Asked) -> shape.Page:
    """The lookalikes of a brand that exist."""
    part = window(asked.query, BY_NAME)
    brand = BRANDS.asset(services, asked)
    question = _existing(
        asked,
        {brand.name},
        key_part=asked.query.get("lookalike", "").lower(),
        **_of_states(brand, several(asked.query, "state")),
    )
    found = services.observed.keyed_page(question, part.offset, part.limit, part.descending)
    return shape.page([_row(brand, one) for one in found.observations], found.total, part)


def _of_states(brand: Asset, states: Collection[str]) -> dict[str, Collection[str]]:
    """Classifications of lookalikes are kept with the brand; all others are unclassified."""
    if not states:
        return {}
    said = _states(brand)
    if _UNCLASSIFIED in states:
        return {"keys_but": {name for name, state in said.items() if state not in states}}
    return {"keys": {name for name, state in said.items() if state in states}}


def classify(services: ReputationServices, asked: Asked) -> shape.LookalikeObject:
    """Keep a user's classification of a lookalike; alerts leave ignored ones out."""
    given: StateBody = read(StateBody, asked.body)
    brand, lookalike = BRANDS.asset(services, asked), asked.path["lookalike_id"]
    question = _existing(asked, {brand.name}, keys={lookalike})
    found = services.observed.keyed_page(question, 0, 1).observations
    if not found:
        raise NotFound(f"there is no lookalike {lookalike} of this domain")

    def classified(asset: Asset) -> Asset:
        states = {**_states(asset), lookalike: given.state}
        return msgspec.structs.replace(asset, details={**asset.details, "states": states})

    return _row(services.watched_assets.change(asked.workspace, AssetKind.LOOKALIKE, brand.id, classified), found[0])


def _states(brand: Asset) -> Mapping[str, str]:
    states: Mapping[str, str] = brand.details.get("states", {})
    return states


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
        state=_states(brand).get(one.key, _UNCLASSIFIED),
        p=data.get("p"),
        spf_detected=data.get("spf_detected"),
        updated_at=shape.date(max(one.seen_at, one.confirmed_at)),
    )
