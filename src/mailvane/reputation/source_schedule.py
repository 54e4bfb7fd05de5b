"""When each outside source is asked about what is watched: the interval with jitter, pauses after failures, leases."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import msgspec

from mailvane.core.leasing import LeaseStore
from mailvane.core.moments import MINUTE_MS
from mailvane.reputation.model import ASKED_ABOUT, SOURCES, Asset, AssetStatus, Comes, Source, SourceHealth
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.observations import ObservationStore

FIRST_PAUSE_MS = MINUTE_MS
RETRY_MS = 30 * MINUTE_MS
_JITTER = 0.1  # of the interval: thousands of assets that were added together spread out over the days
_ASKED = frozenset(source for source, terms in SOURCES.items() if terms.comes in {Comes.ASKED, Comes.FETCHED})


class Schedule(msgspec.Struct, frozen=True):
    """Pure. Times are milliseconds since the epoch."""

    interval: int

    def due_at(self, asset: Asset) -> int:
        """What was never asked about is due at once, what failed soon; everything else about once in an interval."""
        if not asset.asked_at:
            return 0
        if asset.status == AssetStatus.FAILED:
            return asset.asked_at + min(RETRY_MS, self.interval)
        share = crc32(f"{asset.id}{asset.asked_at}".encode()) / 2**32
        return asset.asked_at + int(self.interval * (1 - _JITTER * share))

    def asked_before(self, now: int) -> tuple[int, int]:
        """Nothing is due that was asked about later: what was answered then, and what failed."""
        return max(0, now - int(self.interval * (1 - _JITTER))), max(0, now - min(RETRY_MS, self.interval))

    def rests_until(self, workspace: int, health: SourceHealth) -> int:
        """A source that fails is left alone longer and longer; 0: it does not fail."""
        if not health.failures:
            return 0
        pause = min(FIRST_PAUSE_MS * 2 ** min(health.failures - 1, 20), self.interval)
        share = 0.5 + crc32(f"{workspace}{health.failed_at}".encode()) / 2**33
        return health.failed_at + int(pause * share)

    def next_at(self, workspace: int, health: SourceHealth, assets: Iterable[Asset], now: int) -> int:
        """When it is asked for this workspace again; 0: about nothing."""
        due = [self.due_at(asset) for asset in assets if asset.verified]
        return max(min(due), self.rests_until(workspace, health), now) if due else 0


class SourceSchedule:
    """When sources are asked next. Safe to share between threads."""

    def __init__(
        self,
        assets: AssetStore,
        observations: ObservationStore,
        leases: LeaseStore,
        schedule: Schedule,
    ) -> None:
        self._assets = assets
        self._observations = observations
        self._leases = leases
        self._schedule = schedule

    def health(self, workspace: int, now: int) -> list[SourceHealth]:
        """Of every source that was ever asked, or is to be asked, for this workspace."""
        known = {health.source: health for health in self._observations.health(workspace)}
        leased = {lease.name: lease.until for lease in self._leases.leases(now)}
        assets = self._assets.assets(workspace, {kind for kinds in ASKED_ABOUT.values() for kind in kinds})
        watched = {source: [one for one in assets if one.kind in ASKED_ABOUT[source]] for source in Source}
        return [
            msgspec.structs.replace(
                health,
                next_at=self._schedule.next_at(workspace, health, watched[source], now) if source in _ASKED else 0,
                leased_until=leased.get(lease_name(source), 0),
            )
            for source in Source
            if (health := known.get(source, SourceHealth(source=source))) and (source in known or watched[source])
        ]


def lease_name(source: Source) -> str:
    """Of the lease under which a source is asked."""
    return f"collect {source}"
