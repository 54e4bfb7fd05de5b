"""Microsoft SNDS over HTTP: keys, the data of addresses, and which are blocked. Blocking.

# ours: the rows of the two aggregates, of which the vendor publishes the paths only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import (
    CredentialsBody,
    CredentialsChange,
    Window,
    period,
    read,
    recent,
    several,
    window,
)
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, AssetStatus, Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

_SHOWN_OF_KEY = 4
_KEY = re.compile(r"[A-Za-z0-9-]{4,200}")
_SUMS = ("rcpt_commands", "data_commands", "recipients", "bounce", "trap_hits")
ORDERS = ("-date_timestamp", "date_timestamp")
_COLOURS = ("GREEN", "YELLOW", "RED")


def _shown(_services: ReputationServices, _asked: Asked, assets: Sequence[Asset]) -> list[shape.CredentialsObject]:
    return [
        shape.CredentialsObject(**{**shape.watched(asset), "status": _status(asset)}, name=asset.name)
        for asset in assets
    ]


def _status(asset: Asset) -> str:
    if not asset.verified:
        return "TERMINATED"
    return "FAILED" if asset.status is AssetStatus.FAILED else "ACTIVE"


CREDENTIALS = Watch(AssetKind.SNDS, _shown, CredentialsBody, filter="name")


def add(services: ReputationServices, asked: Asked) -> shape.Rows:
    """The key is kept, and shown to nobody: without a name it is called by its end."""
    given: CredentialsBody = read(CredentialsBody, asked.body)
    key = _checked(given.key)
    name = given.name.strip() or f"key …{key[-_SHOWN_OF_KEY:]}"
    return CREDENTIALS.added(services, asked, [("name", name)], given.profile_id, secret=key)


def change(services: ReputationServices, asked: Asked) -> shape.Rows:
    given: CredentialsChange = read(CredentialsChange, asked.body)
    changes: dict[str, Any] = {}
    if given.key is not None:
        changes |= {"secret": _checked(given.key), "status": AssetStatus.WAITING, "asked_at": 0, "error": ""}
    if given.status is not None:
        changes |= {"verified": given.status == "ACTIVE"}
    services.watched_assets.change(
        asked.workspace,
        AssetKind.SNDS,
        asked.path["asset_id"],
        lambda asset: msgspec.structs.replace(asset, **changes),
    )
    services.wake(CREDENTIALS.source)
    return CREDENTIALS.show(services, asked)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise InvalidFields(("key", "expected the key of SNDS automated data access"))
    return key


def ip_data(services: ReputationServices, asked: Asked) -> shape.Page:
    """The periods of addresses, the newest first."""
    part = window(asked.query, ORDERS)
    since, until = recent(asked.query, asked.now)
    colours = several(asked.query, "filter_result")
    question = _question(asked, ObservationKind.SNDS_DATA, since=since, until=until, one_of={"filter_result": colours})
    return _page(services, asked, question, part)


def ip_status(services: ReputationServices, asked: Asked) -> shape.Page:
    """Which addresses Microsoft blocks, as said last."""
    part = window(asked.query, ORDERS)
    return _page(services, asked, _question(asked, ObservationKind.SNDS_STATUS, newest_only=True), part)


def aggregated(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Sums of a period by address, and on how many days it had each colour."""
    return shape.Rows(
        [
            {
                "ip": each.asset,
                **{name: int(each.sums[name]) for name in _SUMS},
                **{colour.lower(): each.values.get(colour, 0) for colour in _COLOURS},
                "complaint_rate": each.sums["complaint_rate"] / each.count,
            }
            for each in services.observed.sums_by_asset(
                _of_period(asked), (*_SUMS, "complaint_rate"), counted="filter_result"
            )
        ]
    )


def aggregated_traps(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Trap hits of a period by address."""
    sums = services.observed.sums_by_asset(_of_period(asked), ("trap_hits",))
    hits = [(each.asset, int(each.sums["trap_hits"])) for each in sums]
    return shape.Rows([{"ip": ip, "trap_hits": count} for ip, count in hits if count])


def _of_period(asked: Asked) -> ObservationQuestion:
    since, until = period(asked.query)
    return _question(asked, ObservationKind.SNDS_DATA, since=since, until=until)


def _question(asked: Asked, kind: ObservationKind, **more: Any) -> ObservationQuestion:
    return ObservationQuestion(
        workspace=asked.workspace, kind=kind, asset_part=asked.query.get("ip", "").lower(), **more
    )


def _page(services: ReputationServices, asked: Asked, question: ObservationQuestion, part: Window) -> shape.Page:
    found = services.observed.observation_page(question, part.offset, part.limit, newest_first=part.descending)
    addresses = {one.asset for one in found.observations}
    watched = services.watched_assets.named(asked.workspace, AssetKind.IP, addresses)
    names = {
        asset.name: [str(one.get("rDNS", "")) for one in asset.details.get("dns_lookup_result", ())]
        for asset in watched
    }
    return shape.page([_row(one, names) for one in found.observations], found.total, part)


def _row(one: Observation, names: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    moments = {
        name: shape.maybe_date(one.data[name])
        for name in ("period_from", "period_to", "trap_period_from", "trap_period_to")
        if name in one.data
    }
    reverse = [{"rdns": name} for name in names.get(one.asset, ())]
    known = {"ip": one.asset, "date_timestamp": shape.date(one.at), "dns_reverse_result": reverse}
    return {**known, **one.data, **moments}
