"""The service of watched assets: assets, refreshes, observations, health of sources.

A refresh that failed changes nothing but the health it shows. What was learned is durable before alerts hear of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput, NotFound, NotPossible
from mailvane.core.identifiers import new_id
from mailvane.core.moments import MINUTE_MS
from mailvane.reputation.asset_names import names_in, normalized
from mailvane.reputation.model import (
    ASKED_ABOUT,
    LISTED_SINCE,
    LISTINGS,
    SOURCES,
    TOLD_BY,
    UNFETCHED,
    Asset,
    AssetKind,
    AssetStatus,
    Comes,
    Observation,
    ObservationKind,
    Refresh,
    Source,
    SourceHealth,
)
from mailvane.reputation.questions import AssetPage, AssetQuestion
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.observations import ObservationStore

ASK_ALL_MS = MINUTE_MS  # between two times that all sources are asked at once
_CAN_BE_ASKED = tuple(source for source, terms in SOURCES.items() if terms.comes is Comes.ASKED)
MOST_AT_ONCE = 10_000  # assets that one request may add; of networks that overlap, each counts
_MOST_COMPLAINTS = 100
_MOST_REFUSALS = 20  # that are shown of a source
_LONGEST_ERROR = 500
_LONGEST_REFUSAL = 300


class WatchedAssets:
    """Safe to share between threads."""

    def __init__(
        self,
        assets: AssetStore,
        observations: ObservationStore,
        on_refreshed: Callable[[int, Collection[Source], int], None] = lambda *_: None,
    ) -> None:
        self._assets = assets
        self._observations = observations
        self._on_refreshed = on_refreshed
        # Two refreshes of one address at once would both find no open listing, and open it twice.
        self._recording = Lock()

    def add(
        self,
        workspace: int,
        kind: AssetKind,
        names: Sequence[str],
        now: int,
        *,
        profile_id: str | None = None,
        **more: Any,
    ) -> list[Asset]:
        """Watch them, with more fields of `Asset`; those that are watched already stay as they are.

        Raises InvalidFields, naming each bad one.
        """
        found = self._normalized(kind, names)
        return self._assets.add_assets(
            [
                Asset(
                    id=new_id(), workspace=workspace, kind=kind, name=name, created_at=now, profile_id=profile_id,
                    **more,
                )
                for name in found
            ]
        )  # fmt: skip

    def _normalized(self, kind: AssetKind, names: Sequence[str]) -> list[str]:
        places = {name: place for place, name in reversed(list(enumerate(names)))}  # where each stands first
        _check_number(kind, places)
        found: dict[str, None] = {}
        wrong: list[tuple[str, str]] = []
        for name, place in sorted(places.items(), key=lambda one: one[1]):
            try:
                found.update(dict.fromkeys(normalized(kind, name)))
            except InvalidInput as error:
                wrong.append((f"[{place}]", error.message))
            if len(wrong) >= _MOST_COMPLAINTS:
                break
        if wrong:
            raise InvalidFields(*wrong)
        if not found:
            raise InvalidFields(("names", "nothing is named"))
        return list(found)

    def assets(self, workspace: int, kind: AssetKind, profile_id: str | None = None) -> list[Asset]:
        """By name."""
        return self._assets.assets(workspace, (kind,), profile_id)

    def page(self, question: AssetQuestion, offset: int, limit: int, descending: bool = False) -> AssetPage:
        """A part of those that are watched, by name, and how many there are in all."""
        return self._assets.asset_page(question, offset, limit, descending)

    def count(self, workspace: int, kind: AssetKind) -> int:
        """How many are watched."""
        return self._assets.asset_count(workspace, kind)

    def named(self, workspace: int, kind: AssetKind, names: Collection[str]) -> list[Asset]:
        """Those of these names that are watched, by name."""
        return self._assets.assets_named(workspace, kind, names)

    def asset(self, workspace: int, kind: AssetKind, asset_id: str) -> Asset:
        """Raises NotFound."""
        found = self._assets.asset(workspace, kind, asset_id)
        if found is None:
            raise NotFound(f"there is no {kind} {asset_id}")
        return found

    def change(self, workspace: int, kind: AssetKind, asset_id: str, change: Callable[[Asset], Asset]) -> Asset:
        """Raises NotFound."""
        self.asset(workspace, kind, asset_id)
        return self._assets.change_asset(workspace, asset_id, change)

    def remove(self, workspace: int, kind: AssetKind, asset_id: str) -> None:
        """Watch it no longer; what was observed stays. Raises NotFound."""
        self._assets.remove_asset(workspace, kind, asset_id)

    def record(self, workspace: int, refreshes: Iterable[Refresh], now: int) -> int:
        """Keep what was learned, then let alerts hear of it; how many statements came."""
        received = list(refreshes)
        with self._recording:
            self._observations.observe(workspace, self._merged(workspace, received))
            self._mark_assets(workspace, received)
            self._mark_health(workspace, received, now)
        learned = {refresh.source for refresh in received if not refresh.error}
        if learned:
            self._on_refreshed(workspace, learned, now)
        return sum(len(refresh.observations) for refresh in received if not refresh.error)

    def failed(self, workspace: int, source: Source, error: str, now: int) -> None:
        """Note that a source as a whole could not be asked."""
        self._observations.save_health(workspace, source, lambda health: _failed(health, error, now))

    def fetched(self, workspace: int, source: Source, trouble: str, now: int) -> None:
        """Note how it went to look for what arrives: each trouble once, and that it is over."""
        known = next((health for health in self.health(workspace) if health.source is source), None)
        failing = known.error if known is not None and known.failures else ""
        error = f"{UNFETCHED}{trouble}"[:_LONGEST_ERROR]
        if trouble and failing != error:
            self.failed(workspace, source, error, now)
        elif not trouble and known is not None and known.is_unfetched:
            self._observations.save_health(
                workspace, source, lambda health: msgspec.structs.replace(health, succeeded_at=now, failures=0)
            )

    def refused(self, workspace: int, source: Source, reasons: Sequence[str], now: int) -> None:
        """Count reports that arrived and were set aside, a reason for each."""
        if not reasons:
            return
        shortened = tuple(reason[:_LONGEST_REFUSAL] for reason in reversed(reasons[-_MOST_REFUSALS:]))

        def counted(health: SourceHealth) -> SourceHealth:
            return msgspec.structs.replace(
                health,
                refused=health.refused + len(reasons),
                refused_at=now,
                refusals=(*shortened, *health.refusals)[:_MOST_REFUSALS],
            )

        self._observations.save_health(workspace, source, counted)

    def ask_now(self, workspace: int, source: Source, asset_ids: Collection[str] | None = None) -> int:
        """Let the next round of the runner ask about assets, whenever that was done last; how many.

        Raises NotFound when one of the ids is not watched.
        """
        wanted = self._assets.asset_ids(workspace, ASKED_ABOUT[source], asset_ids)
        if asset_ids is not None and len(wanted) < len(set(asset_ids)):
            raise NotFound("not all of these are watched")
        self._assets.change_assets(workspace, dict.fromkeys(wanted, _due))
        self._observations.save_health(workspace, source, lambda health: msgspec.structs.replace(health, failures=0))
        return len(wanted)

    def askable(self, workspace: int) -> dict[Source, int]:
        """The sources that can be asked now, each with the number of assets that it is asked about."""
        counts = self._assets.asset_counts(workspace)
        found = {source: sum(counts.get(kind, 0) for kind in ASKED_ABOUT[source]) for source in _CAN_BE_ASKED}
        return {source: count for source, count in found.items() if count}

    def ask_all_now(self, workspace: int, now: int) -> dict[Source, int]:
        """Let the next rounds of the runner ask every source about everything; about how many assets each.

        Raises NotPossible within a minute of the last time: blocklists count questions.
        """
        wanted = self.askable(workspace)
        for source in wanted:
            self._observations.save_health(workspace, source, partial(_asked_for, now=now))
        return {source: self.ask_now(workspace, source) for source in wanted}

    def health(self, workspace: int) -> list[SourceHealth]:
        """Of every source that was ever asked for this workspace."""
        return self._observations.health(workspace)

    def observations(
        self, workspace: int, kinds: Collection[ObservationKind], since: int, until: int, asset: str | None = None
    ) -> list[Observation]:
        """Those that tell of a time from `since` to before `until`, oldest first."""
        return self._observations.between(workspace, kinds, since, until, asset)

    def is_observed(self, workspace: int, kind: ObservationKind, asset: str, key: str, at: int | None = None) -> bool:
        """Whether it is kept already: for that time, or for any."""
        return self._observations.is_observed(workspace, kind, asset, key, at)

    def _merged(self, workspace: int, refreshes: Sequence[Refresh]) -> list[Observation]:
        """Listings become the opening and the closing of one; everything else stays as it is."""
        given = [observation for refresh in refreshes if not refresh.error for observation in _signed(refresh)]
        listings = [observation for observation in given if observation.kind in LISTINGS]
        if not listings:
            return given
        known = {
            (one.kind, one.asset, one.key): one
            for one in self._observations.latest(
                workspace, {one.kind for one in listings}, {one.asset for one in listings}
            )
        }
        merged = [observation for observation in given if observation.kind not in LISTINGS]
        for observation in listings:
            kept = _listing(observation, known.get((observation.kind, observation.asset, observation.key)))
            if kept is not None:
                merged.append(kept)
                known[observation.kind, observation.asset, observation.key] = kept
        return merged

    def _mark_assets(self, workspace: int, refreshes: Sequence[Refresh]) -> None:
        named: dict[AssetKind, set[str]] = {}
        for refresh in refreshes:
            named.setdefault(refresh.kind, set()).add(refresh.asset)
        watched = {
            (asset.kind, asset.name): asset.id
            for kind, names in named.items()
            for asset in self._assets.assets_named(workspace, kind, names)
        }
        changes: dict[str, Callable[[Asset], Asset]] = {}
        for refresh in refreshes:
            asset_id = watched.get((refresh.kind, refresh.asset))
            if asset_id is not None:
                changes[asset_id] = _after(changes.get(asset_id), partial(_asked, refresh))
        # One that was removed while its source was asked is not there to be marked.
        self._assets.change_assets(workspace, changes)

    def _mark_health(self, workspace: int, refreshes: Sequence[Refresh], now: int) -> None:
        for source in {refresh.source for refresh in refreshes}:
            received = [refresh for refresh in refreshes if refresh.source == source]
            errors = [refresh.error for refresh in received]
            if all(errors):
                self.failed(workspace, source, errors[-1], now)
            else:
                asked = any(refresh.asset for refresh in received)
                self._observations.save_health(workspace, source, partial(_succeeded, now=now, asked=asked))


def _check_number(kind: AssetKind, names: Iterable[str]) -> None:
    """Before a network is written out. Raises InvalidFields."""
    number = 0
    for name in names:
        with suppress(InvalidInput):  # named with its place when it is read
            number += names_in(kind, name)
        if number > MOST_AT_ONCE:
            raise InvalidFields(("names", f"more than {MOST_AT_ONCE} at once"))


def _signed(refresh: Refresh) -> Iterable[Observation]:
    """What a key of SNDS brought tells of addresses that nobody need watch: whose they are is said by the key."""
    if refresh.kind is not AssetKind.SNDS:
        return refresh.observations
    return [msgspec.structs.replace(one, data={**one.data, TOLD_BY: refresh.asset}) for one in refresh.observations]


def _listing(observation: Observation, known: Observation | None) -> Observation | None:
    """What is kept of an answer: the opening or closing of a listing, or that an open one was confirmed."""
    open_already = known is not None and bool(known.data.get("listed"))
    if observation.data.get("listed"):
        if open_already and known is not None and observation.at >= known.at:
            return msgspec.structs.replace(
                known, confirmed_at=max(observation.confirmed_at, observation.seen_at, known.confirmed_at)
            )
        return observation
    if not open_already or known is None:
        return None
    ended = max(observation.at, known.at + 1)
    return msgspec.structs.replace(observation, at=ended, data={**observation.data, LISTED_SINCE: known.at})


def _after(first: Callable[[Asset], Asset] | None, then: Callable[[Asset], Asset]) -> Callable[[Asset], Asset]:
    """Of several refreshes of one asset, each leaves its mark."""
    return then if first is None else lambda asset: then(first(asset))


def _due(asset: Asset) -> Asset:
    return msgspec.structs.replace(asset, asked_at=0, status=AssetStatus.WAITING)


def _asked_for(health: SourceHealth, now: int) -> SourceHealth:
    """Raises NotPossible."""
    ago = now - health.all_asked_for_at
    if 0 <= ago < ASK_ALL_MS:
        raise NotPossible(f"all sources were asked {ago // 1000} s ago: wait a minute before asking all of them again")
    return msgspec.structs.replace(health, all_asked_for_at=now)


def _asked(refresh: Refresh, asset: Asset) -> Asset:
    if refresh.error:
        return msgspec.structs.replace(asset, asked_at=refresh.at, status=AssetStatus.FAILED, error=refresh.error)
    return msgspec.structs.replace(
        asset,
        asked_at=refresh.at,
        updated_at=refresh.at,
        status=AssetStatus.UPDATED,
        error="",
        details={**asset.details, **refresh.details},
    )


def _succeeded(health: SourceHealth, now: int, asked: bool) -> SourceHealth:
    """Where nothing was asked, reports came by another way than the one that fails."""
    failures = health.failures if health.is_unfetched and not asked else 0
    return msgspec.structs.replace(health, succeeded_at=now, failures=failures)


def _failed(health: SourceHealth, error: str, now: int) -> SourceHealth:
    return msgspec.structs.replace(health, failed_at=now, error=error[:_LONGEST_ERROR], failures=health.failures + 1)
