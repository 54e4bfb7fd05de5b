"""Domains whose DMARC reports come here, over HTTP. Blocking.

# ours: all fields; the vendor publishes the paths only.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import DomainsBody, recent
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked


def _shown(services: ReputationServices, asked: Asked, assets: Sequence[Asset]) -> list[shape.DmarcObject]:
    since, until = recent({}, asked.now)
    question = ObservationQuestion(
        workspace=asked.workspace,
        kind=ObservationKind.DMARC,
        since=since,
        until=until,
        assets={asset.name for asset in assets},
    )
    sums = services.observed.sums_by_asset(question, ("messages", "dmarc_fail"))
    known = {each.asset: each.sums for each in sums}
    return [
        shape.DmarcObject(
            **shape.watched(asset),
            domain=asset.name,
            p=asset.details.get("p"),
            sp=asset.details.get("sp"),
            rua=asset.details.get("rua", ()),
            messages=int(known.get(asset.name, {}).get("messages", 0)),
            dmarc_fail=int(known.get(asset.name, {}).get("dmarc_fail", 0)),
        )
        for asset in assets
    ]


DMARC_DOMAINS = Watch(AssetKind.DMARC, _shown, DomainsBody)
