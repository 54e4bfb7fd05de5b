"""When each source is asked: a schedule with jitter, a pause that grows while it fails, a lease against other nodes.

What collectors learn goes through `WatchedAssets`; what they are and how they ask is theirs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import groupby

from mailvane.core.errors import MailvaneError
from mailvane.core.leasing import Held, Leasing
from mailvane.core.periodic import every
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import ASKED_ABOUT, Asset, Refresh, Source
from mailvane.reputation.source_schedule import Schedule, lease_name
from mailvane.reputation.sources.collector import Collector
from mailvane.reputation.store.assets import AssetStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0  # how soon another process's "ask now" is noticed
_TOGETHER = 200  # refreshes that are recorded at once
_TOGETHER_SECONDS = 1.0


class Runner:
    """Asks every source until it is stopped. One task for each, so a slow source delays no other."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        watched_assets: WatchedAssets,
        assets: AssetStore,
        leasing: Leasing,
        clock: Callable[[], int],
        schedule: Schedule,
    ) -> None:
        self._collectors = collectors
        self._watched_assets = watched_assets
        self._assets = assets
        self._leasing = leasing
        self._clock = clock
        self._schedule = schedule
        self._wake: dict[Source, asyncio.Event] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wake = {collector.source: asyncio.Event() for collector in self._collectors}
        async with asyncio.TaskGroup() as group:
            for collector in self._collectors:
                task, wake = f"asking {collector.source}", self._wake[collector.source]
                group.create_task(every(LOOK_SECONDS, task, partial(self.round, collector), wake), name=task)

    def wake(self, source: Source) -> None:
        """Look now whether something is due; from any thread."""
        if self._loop is not None and source in self._wake:
            self._loop.call_soon_threadsafe(self._wake[source].set)

    async def round(self, collector: Collector) -> int:
        """Ask about everything that is due, workspace by workspace; about how many assets."""
        if not await asyncio.to_thread(self._due, collector.source, self._clock()):
            return 0
        async with self._leasing.held(lease_name(collector.source)) as held:
            if held is None:
                return 0
            now = self._clock()
            due = await asyncio.to_thread(self._due, collector.source, now)  # another process may have asked meanwhile
            asked = 0
            for workspace, assets in groupby(due, key=lambda asset: asset.workspace):
                if held.lost:
                    break
                if not await asyncio.to_thread(self._is_resting, workspace, collector.source, now):
                    asked += await self._ask(collector, workspace, list(assets), held)
        return asked

    def _due(self, source: Source, now: int) -> list[Asset]:
        """By workspace. What nobody approved, or what was switched off, is not asked about."""
        maybe = self._assets.assets_asked_before(ASKED_ABOUT[source], *self._schedule.asked_before(now))
        due = [asset for asset in maybe if self._schedule.due_at(asset) <= now]
        return sorted(due, key=lambda asset: asset.workspace)

    def _is_resting(self, workspace: int, source: Source, now: int) -> bool:
        """Whether the source failed so lately that it is left alone for now."""
        return any(
            health.source == source and now < self._schedule.rests_until(workspace, health)
            for health in self._watched_assets.health(workspace)
        )

    async def _ask(self, collector: Collector, workspace: int, assets: Sequence[Asset], held: Held) -> int:
        asked = 0
        try:
            async for refreshes in _together(collector.refresh(assets, self._clock())):
                asked += len(refreshes)
                await asyncio.to_thread(self._watched_assets.record, workspace, refreshes, self._clock())
                if held.lost:
                    break
        except MailvaneError as error:
            log.warning("%s could not be asked for workspace %d: %s", collector.source, workspace, error)
            await self._failed(collector, workspace, error.message)
        except Exception as error:
            log.exception("asking %s for workspace %d failed", collector.source, workspace)
            await self._failed(collector, workspace, type(error).__name__)
        return asked

    async def _failed(self, collector: Collector, workspace: int, reason: str) -> None:
        await asyncio.to_thread(self._watched_assets.failed, workspace, collector.source, reason, self._clock())


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
