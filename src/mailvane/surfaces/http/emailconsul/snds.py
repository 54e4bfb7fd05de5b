"""Microsoft SNDS over HTTP: keys, the data of addresses, and which are blocked. Blocking.

# ours: the rows of the two aggregates, of which the vendor publishes the paths only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.domain.reputation import Asset, AssetKind, AssetStatus, Observation, ObservationKind
from mailvane.errors import InvalidFields
from mailvane.surfaces.http.emailconsul import shape
from mailvane.surfaces.http.emailconsul.parameters import (
    CredentialsBody,
    CredentialsChange,
    period,
    read,
    recent,
    several,
    window,
)
from mailvane.surfaces.http.emailconsul.watched import Watch
from mailvane.surfaces.http.endpoints import Asked
from mailvane.surfaces.http.services import ReputationServices

_SHOWN_OF_KEY = 4
_KEY = re.compile(r"[A-Za-z0-9-]{4,200}")
_SUMS = ("rcpt_commands", "data_commands", "recipients", "bounce", "trap_hits")
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
    services.watching.change(
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
    part = window(asked.query, ("-date_timestamp", "date_timestamp"))
    colours = several(asked.query, "filter_result")
    rows = [
        row
        for row in _rows(services, asked, ObservationKind.SNDS_DATA, recent(asked.query, asked.now))
        if not colours or row.get("filter_result") in colours
    ]
    return shape.page(part.of(rows[:: -1 if part.sort.startswith("-") else 1]), len(rows), part)


def ip_status(services: ReputationServices, asked: Asked) -> shape.Page:
    """Which addresses Microsoft blocks, as said last."""
    part = window(asked.query, ("-date_timestamp", "date_timestamp"))
    names = _reverse_names(services, asked)
    found = services.watching.latest(asked.workspace, (ObservationKind.SNDS_STATUS,))
    rows = [_row(one, names) for one in found if asked.query.get("ip", "") in one.asset]
    rows.sort(key=lambda row: (row["date_timestamp"], row["ip"]), reverse=part.sort.startswith("-"))
    return shape.page(part.of(rows), len(rows), part)


def aggregated(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Sums of a period by address, and on how many days it had each colour."""
    return shape.Rows(
        [
            {
                "ip": ip,
                **{name: sum(int(row.get(name) or 0) for row in rows) for name in _SUMS},
                **{each.lower(): sum(row.get("filter_result") == each for row in rows) for each in _COLOURS},
                "complaint_rate": sum(float(row.get("complaint_rate") or 0) for row in rows) / len(rows),
            }
            for ip, rows in _by_address(services, asked).items()
        ]
    )


def aggregated_traps(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Trap hits of a period by address."""
    sums = {
        ip: sum(int(row.get("trap_hits") or 0) for row in rows) for ip, rows in _by_address(services, asked).items()
    }
    return shape.Rows([{"ip": ip, "trap_hits": hits} for ip, hits in sums.items() if hits])


def _by_address(services: ReputationServices, asked: Asked) -> Mapping[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in _rows(services, asked, ObservationKind.SNDS_DATA, period(asked.query)):
        found[row["ip"]].append(row)
    return dict(sorted(found.items()))


def _rows(
    services: ReputationServices, asked: Asked, kind: ObservationKind, span: tuple[int, int]
) -> Iterator[Mapping[str, Any]]:
    """Oldest first."""
    names, needle = _reverse_names(services, asked), asked.query.get("ip", "")
    for one in services.watching.observations(asked.workspace, (kind,), *span):
        if needle in one.asset:
            yield _row(one, names)


def _row(one: Observation, names: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    moments = {
        name: shape.maybe_date(one.data[name])
        for name in ("period_from", "period_to", "trap_period_from", "trap_period_to")
        if name in one.data
    }
    reverse = [{"rdns": name} for name in names.get(one.asset, ())]
    known = {"ip": one.asset, "date_timestamp": shape.date(one.at), "dns_reverse_result": reverse}
    return {**known, **one.data, **moments}


def _reverse_names(services: ReputationServices, asked: Asked) -> Mapping[str, Sequence[str]]:
    """Of the addresses that are watched beside."""
    return {
        asset.name: [str(one.get("rDNS", "")) for one in asset.details.get("dns_lookup_result", ())]
        for asset in services.watching.assets(asked.workspace, AssetKind.IP)
    }
