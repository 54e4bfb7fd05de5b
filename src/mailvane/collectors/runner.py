"""When each source is asked: a schedule with jitter, a pause that grows while it fails, a lease against other nodes.

What collectors learn goes through `Watching`; what they are and how they ask is theirs.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import groupby
from zlib import crc32

from mailvane.collectors.collector import Collector
from mailvane.domain.reputation import ASKED_ABOUT, Asset, AssetStatus, Refresh, Source
from mailvane.errors import MailvaneError
from mailvane.services.watching import Watching
from mailvane.storage.reputation import Assets, Leases

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
LOOK_SECONDS = 15.0  # how soon another process's "ask now" is noticed
_TOGETHER = 200  # refreshes that are recorded at once
_TOGETHER_SECONDS = 1.0
_LEASE_MS = 10 * 60_000
_FIRST_PAUSE_MS = 60_000
_RETRY_MS = 30 * 60_000
_JITTER = 0.1  # of the interval: thousands of assets that were added together spread out over the days


class Runner:
    """Asks every source until it is stopped. One task for each, so a slow source delays no other."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        watching: Watching,
        assets: Assets,
        leases: Leases,
        clock: Callable[[], int],
        refresh_hours: float = 24.0,
    ) -> None:
        self._collectors = collectors
        self._watching = watching
        self._assets = assets
        self._leases = leases
        self._clock = clock
        self._interval = int(refresh_hours * HOUR_MS)
        self.holder = secrets.token_hex(8)
        self._wake: dict[Source, asyncio.Event] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wake = {collector.source: asyncio.Event() for collector in self._collectors}
        async with asyncio.TaskGroup() as group:
            for collector in self._collectors:
                group.create_task(self._attend(collector), name=f"collect {collector.source}")

    def wake(self, source: Source) -> None:
        """Look now whether something is due; from any thread."""
        if self._loop is not None and source in self._wake:
            self._loop.call_soon_threadsafe(self._wake[source].set)

    async def _attend(self, collector: Collector) -> None:
        wake = self._wake[collector.source]
        while True:
            wake.clear()
            try:
                await self.round(collector)
            except Exception:
                # A ledger that is away for an hour must not end collecting for ever.
                log.exception("asking %s failed", collector.source)
            try:
                await asyncio.wait_for(wake.wait(), LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            except TimeoutError:
                continue

    async def round(self, collector: Collector) -> int:
        """Ask about everything that is due, workspace by workspace; about how many assets."""
        now = self._clock()
        watched = await asyncio.to_thread(self._assets.assets, None, ASKED_ABOUT[collector.source])
        # What nobody approved, or what was switched off, is not asked about.
        due = [asset for asset in watched if asset.verified and self._due_at(asset) <= now]
        if not due or not await asyncio.to_thread(self._hold, collector.source):
            return 0
        asked = 0
        by_workspace = sorted(due, key=lambda asset: asset.workspace)
        for workspace, assets in groupby(by_workspace, key=lambda asset: asset.workspace):
            if await asyncio.to_thread(self._resting, workspace, collector.source, now):
                continue
            asked += await self._ask(collector, workspace, list(assets))
        return asked

    def _hold(self, source: Source) -> bool:
        return self._leases.hold(f"collect {source}", self.holder, self._clock(), _LEASE_MS)

    def _due_at(self, asset: Asset) -> int:
        """What was never asked about is due at once, what failed soon; everything else about once in an interval."""
        if not asset.asked_at:
            return 0
        if asset.status == AssetStatus.FAILED:
            return asset.asked_at + min(_RETRY_MS, self._interval)
        share = crc32(f"{asset.id}{asset.asked_at}".encode()) / 2**32
        return asset.asked_at + int(self._interval * (1 - _JITTER * share))

    def _resting(self, workspace: int, source: Source, now: int) -> bool:
        """Whether the source failed so lately that it is left alone for now."""
        for health in self._watching.health(workspace):
            if health.source == source and health.failures:
                pause = min(_FIRST_PAUSE_MS * 2 ** min(health.failures - 1, 20), self._interval)
                share = 0.5 + crc32(f"{workspace}{health.failed_at}".encode()) / 2**33
                return now < health.failed_at + int(pause * share)
        return False

    async def _ask(self, collector: Collector, workspace: int, assets: Sequence[Asset]) -> int:
        asked = 0
        try:
            async for refreshes in _together(collector.refresh(assets, self._clock())):
                asked += len(refreshes)
                await asyncio.to_thread(self._watching.record, workspace, refreshes, self._clock())
                await asyncio.to_thread(self._hold, collector.source)
        except MailvaneError as error:
            log.warning("%s could not be asked for workspace %d: %s", collector.source, workspace, error)
            await self._failed(collector, workspace, error.message)
        except Exception as error:
            log.exception("asking %s for workspace %d failed", collector.source, workspace)
            await self._failed(collector, workspace, type(error).__name__)
        return asked

    async def _failed(self, collector: Collector, workspace: int, told: str) -> None:
        await asyncio.to_thread(self._watching.failed, workspace, collector.source, told, self._clock())


async def _together(refreshes: AsyncIterator[Refresh]) -> AsyncIterator[list[Refresh]]:
    """In groups: each costs a few transactions, so many are recorded at once, but none waits long."""
    group: list[Refresh] = []
    began = 0.0
    loop = asyncio.get_running_loop()
    trouble: Exception | None = None
    try:
        async for refresh in refreshes:
            if not group:
                began = loop.time()
            group.append(refresh)
            if len(group) >= _TOGETHER or loop.time() - began >= _TOGETHER_SECONDS:
                yield group
                group = []
    except Exception as error:  # noqa: BLE001 - raised again once what was learned before it is handed on
        trouble = error
    if group:
        yield group
    if trouble is not None:
        raise trouble
