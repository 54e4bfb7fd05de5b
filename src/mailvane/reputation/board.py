"""The board: everything that is watched, and what each source says of it, as cells of five states.

The page of one thing asks the same question, so that it and the board never disagree about what is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.reputation import cells
from mailvane.reputation.cells import NOTHING, Cell, CellState, worst
from mailvane.reputation.model import (
    ASKED_ABOUT,
    Asset,
    AssetKind,
    Observation,
    ObservationKind,
    Source,
    SourceHealth,
    Zone,
    ZoneHealth,
)
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.sources.dnsbl.names import family
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.observations import ObservationStore
from mailvane.reputation.store.zones import ZoneStore

_WEEK_MS = 7 * DAY_MS
_FAILED = ("messages", "dmarc_fail")


class Place(StrEnum):
    """What sort of name it is, whatever it is watched as."""

    ADDRESS = "ip"
    DOMAIN = "domain"


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One name, with what every source says of it."""

    place: Place
    name: str
    assets: Sequence[Asset]  # as what it is watched; none: only Microsoft told of it
    zones: Mapping[str, Cell]  # by blocklist
    sources: Mapping[Source, Cell]  # blocklists: the worst of them

    @property
    def state(self) -> CellState:
        return worst(list(self.sources.values())).state


class Board(msgspec.Struct, frozen=True):
    """The worst first, then by name."""

    zones: Sequence[Zone]  # that are asked
    rows: Sequence[BoardRow]

    @property
    def counts(self) -> dict[CellState, int]:
        """How many cells are in each state; a blocklist is a cell."""
        found = dict.fromkeys(CellState, 0)
        for row in self.rows:
            for cell in (*row.zones.values(), *(c for s, c in row.sources.items() if s is not Source.BLOCKLISTS)):
                found[cell.state] += 1
        return found


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rows are made of, asked once."""

    now: int
    stale_before: int
    zones: Sequence[Zone]
    zone_health: Mapping[str, ZoneHealth]
    health: Mapping[Source, SourceHealth]
    assets: Mapping[tuple[Place, str], Sequence[Asset]]
    keys: Sequence[Asset]
    listings: Mapping[tuple[ObservationKind, str, str], Observation]
    newest: Mapping[tuple[ObservationKind, str], Observation]
    reports: Mapping[str, tuple[int, int, int]]
    lookalikes: Mapping[str, Sequence[Observation]]
    hits: Mapping[str, Sequence[Observation]]

    @property
    def moments(self) -> tuple[int, int]:
        return self.now, self.stale_before


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """A name that a row is made for."""

    place: Place
    name: str
    watched: Mapping[AssetKind, Asset]  # as what
    zones: Mapping[str, Cell]  # by blocklist


class BoardService:
    """Safe to share between threads."""

    def __init__(
        self,
        assets: AssetStore,
        observations: ObservationStore,
        zones: ZoneStore,
        dictionary: Callable[[], Sequence[Zone]],
        stale_ms: int,
    ) -> None:
        self._assets = assets
        self._observations = observations
        self._zones = zones
        self._dictionary = dictionary
        self._stale_ms = stale_ms

    def board(self, workspace: int, now: int) -> Board:
        known = self._known(workspace, now)
        told = {(Place.ADDRESS, name) for kind, name in known.newest if kind is ObservationKind.SNDS_DATA}
        rows = [_row(known, place, name) for place, name in {*known.assets, *told}]
        order = list(CellState)
        return Board(known.zones, sorted(rows, key=lambda row: (row.place, order.index(row.state), row.name)))

    def row(self, workspace: int, place: Place, name: str, now: int) -> BoardRow | None:
        """Of one thing; None where nobody watches it and nobody told of it."""
        known = self._known(workspace, now, name)
        is_told = place is Place.ADDRESS and (ObservationKind.SNDS_DATA, name) in known.newest
        return _row(known, place, name) if (place, name) in known.assets or is_told else None

    def _known(self, workspace: int, now: int, name: str | None = None) -> _Known:
        names: Collection[str] | None = None if name is None else (name,)
        watched = self._assets.assets(workspace, _KINDS)
        by_name: dict[tuple[Place, str], list[Asset]] = defaultdict(list)
        for asset in watched:
            if asset.kind is not AssetKind.SNDS:
                by_name[place_of(asset), asset.name].append(asset)
        zones = [zone for zone in self._dictionary() if zone.enabled]
        return _Known(
            now=now,
            stale_before=now - self._stale_ms,
            zones=zones,
            zone_health={each.host: each for each in self._zones.zone_health()},
            health={each.source: each for each in self._observations.health(workspace)},
            assets=by_name,
            keys=[asset for asset in watched if asset.kind is AssetKind.SNDS],
            listings={
                (one.kind, one.asset, one.key): one
                for one in self._observations.latest(
                    workspace, (ObservationKind.IP_LISTING, ObservationKind.DOMAIN_LISTING), names
                )
            },
            newest=self._newest(workspace, names),
            reports=self._reports(workspace, now, names),
            lookalikes=_by_asset(self._observations.latest(workspace, (ObservationKind.LOOKALIKE,), names)),
            hits=self._hits(workspace, now),
        )

    def _newest(self, workspace: int, names: Collection[str] | None) -> dict[tuple[ObservationKind, str], Observation]:
        kinds = (ObservationKind.TRAFFIC, ObservationKind.SNDS_DATA, ObservationKind.SNDS_STATUS)
        return {(one.kind, one.asset): one for one in self._observations.latest(workspace, kinds, names)}

    def _reports(self, workspace: int, now: int, names: Collection[str] | None) -> dict[str, tuple[int, int, int]]:
        """By domain: reports, messages and failures of a week."""
        question = ObservationQuestion(
            workspace=workspace, kind=ObservationKind.DMARC, since=now - _WEEK_MS, until=now + _WEEK_MS, assets=names
        )
        return {
            each.asset: (each.count, int(each.sums["messages"] or 0), int(each.sums["dmarc_fail"] or 0))
            for each in self._observations.sums_by_asset(question, _FAILED)
        }

    def _hits(self, workspace: int, now: int) -> dict[str, list[Observation]]:
        """By each of the names that a hit concerns."""
        found: dict[str, list[Observation]] = defaultdict(list)
        kinds = (ObservationKind.TRAP_HIT,)
        for hit in self._observations.between(workspace, kinds, now - cells.NEW_MS, now + DAY_MS):
            for name in {hit.asset, str(hit.data.get("ip", "")), str(hit.data.get("domain_from", ""))}:
                found[name].append(hit)
        return found


def place_of(asset: Asset) -> Place:
    """A trap's name is an address or a domain."""
    if asset.kind is AssetKind.TRAP:
        return Place.ADDRESS if asset.name.replace(".", "").isdigit() or ":" in asset.name else Place.DOMAIN
    return Place.ADDRESS if asset.kind is AssetKind.IP else Place.DOMAIN


def _row(known: _Known, place: Place, name: str) -> BoardRow:
    assets = known.assets.get((place, name), ())
    watched = {asset.kind: asset for asset in assets}
    zones = _zones(known, watched.get(AssetKind.IP if place is Place.ADDRESS else AssetKind.DOMAIN))
    named = _Named(place=place, name=name, watched=watched, zones=zones)
    sources = {source: cell_of(known, named) for source, cell_of in _CELLS.items()}
    return BoardRow(place=place, name=name, assets=assets, zones=zones, sources=sources)


def _zones(known: _Known, asset: Asset | None) -> dict[str, Cell]:
    if asset is None:
        return {zone.host: NOTHING for zone in known.zones}
    kind = ObservationKind.IP_LISTING if asset.kind is AssetKind.IP else ObservationKind.DOMAIN_LISTING
    asked_for = family(asset.kind, asset.name)
    return {
        zone.host: cells.listing(
            asset, zone, known.zone_health.get(zone.host), known.listings.get((kind, asset.name, zone.host)),
            known.moments,
        )
        if asked_for in zone.lists
        else NOTHING
        for zone in known.zones
    }  # fmt: skip


def _blocklists(_known: _Known, named: _Named) -> Cell:
    return worst(list(named.zones.values()))


def _postmaster(known: _Known, named: _Named) -> Cell:
    asset = named.watched.get(AssetKind.GP_DOMAIN)
    if asset is None:
        return NOTHING
    return cells.google(asset, known.newest.get((ObservationKind.TRAFFIC, named.name)), known.moments)


def _snds(known: _Known, named: _Named) -> Cell:
    """A key tells of addresses that nobody has to name."""
    if named.place is not Place.ADDRESS:
        return NOTHING
    day = known.newest.get((ObservationKind.SNDS_DATA, named.name))
    status = known.newest.get((ObservationKind.SNDS_STATUS, named.name))
    return cells.microsoft(known.keys, day, status, known.moments)


def _lookalikes(known: _Known, named: _Named) -> Cell:
    asset = named.watched.get(AssetKind.LOOKALIKE)
    return NOTHING if asset is None else cells.lookalikes(asset, known.lookalikes.get(named.name, ()), known.moments)


def _dmarc(known: _Known, named: _Named) -> Cell:
    return cells.dmarc(*known.reports.get(named.name, (0, 0, 0))) if AssetKind.DMARC in named.watched else NOTHING


def _traps(known: _Known, named: _Named) -> Cell:
    asset = named.watched.get(AssetKind.TRAP)
    if asset is None:
        return NOTHING
    return cells.traps(asset, known.hits.get(named.name, ()), known.health.get(Source.TRAPS), known.now)


# What each source says of a name, in the order of `Source`.
_CELLS: Mapping[Source, Callable[[_Known, _Named], Cell]] = MappingProxyType(
    {
        Source.BLOCKLISTS: _blocklists,
        Source.POSTMASTER: _postmaster,
        Source.SNDS: _snds,
        Source.LOOKALIKES: _lookalikes,
        Source.DMARC: _dmarc,
        Source.TRAPS: _traps,
    }
)
# A token's hits tell of the party that its address was given to, and nothing of how the address or a domain stands.
NOT_SHOWN = frozenset({Source.HONEYTOKENS})
_KINDS = tuple(kind for source in _CELLS for kind in ASKED_ABOUT[source])


def _by_asset(observations: Sequence[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for one in observations:
        found[one.asset].append(one)
    return found
