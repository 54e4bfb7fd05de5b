"""When sources are asked; on a real ledger, with collectors that say what they are told to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from mailvane.core.errors import CollectionFailed
from mailvane.core.leasing import LEASE_MS, Leasing
from mailvane.core.moments import HOUR_MS
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import Asset, AssetKind, AssetStatus, Refresh, Source
from mailvane.reputation.source_schedule import Schedule
from mailvane.reputation.sources import runner as module
from mailvane.reputation.sources.runner import Runner
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000


class Blocklists:
    """A source that answers, cannot be asked, or is broken."""

    source = Source.BLOCKLISTS

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.trouble: Exception | None = None
        self.error = ""
        self.fails_at = ""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        self.asked.append([asset.name for asset in assets])
        if self.trouble is not None:
            raise self.trouble
        if self.meanwhile is not None:
            await self.meanwhile()
        for asset in assets:
            if asset.name == self.fails_at:
                raise RuntimeError("broken")
            yield Refresh(source=self.source, kind=asset.kind, asset=asset.name, at=now, error=self.error)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        yield from ()


class Setting:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = NOW
        self.collector = Blocklists()
        self.watching = WatchedAssets(ledger.assets, ledger.observations)
        self.workspace = ledger.tenants.add_workspace("one", NOW).id
        self.runner = self.node()

    def node(self) -> Runner:
        def clock() -> int:
            return self.now

        leasing = Leasing(self.ledger.leases, clock)
        return Runner([self.collector], self.watching, self.ledger.assets, leasing, clock, Schedule(24 * HOUR_MS))

    def watch(self, *names: str, workspace: int | None = None) -> None:
        self.watching.add(workspace or self.workspace, AssetKind.IP, names, self.now)

    def round(self, after_hours: float = 0, runner: Runner | None = None) -> int:
        self.now += int(after_hours * HOUR_MS)
        return asyncio.run((runner or self.runner).round(self.collector))

    def names(self) -> list[str]:
        return [asset.name for asset in self.watching.assets(self.workspace, AssetKind.IP)]

    def statuses(self) -> list[AssetStatus]:
        return [asset.status for asset in self.watching.assets(self.workspace, AssetKind.IP)]


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Setting(ledger)
    ledger.close()


def test_what_is_new_is_asked_about_at_once_and_again_after_the_interval(setting: Setting) -> None:
    assert setting.round() == 0
    setting.watch("192.0.2.1", "192.0.2.2")
    assert setting.round() == 2
    assert setting.statuses() == [AssetStatus.UPDATED] * 2
    assert setting.round(after_hours=20) == 0
    assert setting.round(after_hours=4) == 2


def test_assets_added_together_drift_apart(setting: Setting) -> None:
    setting.watch("192.0.2.0/26")
    setting.round()
    early = setting.round(after_hours=22.8)
    assert 0 < early < 64
    assert setting.round(after_hours=1.2) == 64 - early


def test_workspaces_are_asked_for_apart(setting: Setting) -> None:
    other = setting.ledger.tenants.add_workspace("two", NOW).id
    setting.watch("192.0.2.1")
    setting.watch("192.0.2.1", workspace=other)
    assert setting.round() == 2
    assert setting.collector.asked == [["192.0.2.1"], ["192.0.2.1"]]


def test_an_asset_that_failed_is_asked_about_again_soon(setting: Setting) -> None:
    setting.watch("192.0.2.1", "192.0.2.2")
    setting.collector.error = "no answer"
    setting.round()
    assert setting.statuses() == [AssetStatus.FAILED] * 2
    setting.collector.error = ""
    assert setting.round(after_hours=0.6) == 2
    assert setting.statuses() == [AssetStatus.UPDATED] * 2


def test_what_was_learned_before_a_source_broke_is_kept(setting: Setting) -> None:
    setting.watch("192.0.2.1", "192.0.2.2", "192.0.2.3")
    setting.collector.fails_at = "192.0.2.3"
    assert setting.round() == 2
    assert setting.statuses() == [AssetStatus.UPDATED, AssetStatus.UPDATED, AssetStatus.WAITING]
    (health,) = setting.watching.health(setting.workspace)
    assert (health.failures, health.error) == (1, "RuntimeError")


@pytest.mark.parametrize("trouble", [CollectionFailed("away"), RuntimeError("broken")])
def test_a_source_that_fails_is_left_alone_longer_and_longer(trouble: Exception, setting: Setting) -> None:
    setting.watch("192.0.2.1")
    setting.collector.trouble = trouble
    asked_at = []

    async def day() -> None:
        for minutes in (*(1,) * 120, *(15,) * 88):  # the pauses are short at first
            before = len(setting.collector.asked)
            setting.now += minutes * HOUR_MS // 60
            await setting.runner.round(setting.collector)
            if len(setting.collector.asked) > before:
                asked_at.append(setting.now)

    asyncio.run(day())
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert 5 < len(asked_at) < 20
    assert pauses[-1] > 16 * pauses[0]
    (health,) = setting.watching.health(setting.workspace)
    assert health.failures == len(asked_at)
    assert health.error == ("away" if isinstance(trouble, CollectionFailed) else "RuntimeError")
    setting.collector.trouble = None
    setting.watching.ask_now(setting.workspace, Source.BLOCKLISTS)
    assert setting.round() == 1


def test_two_nodes_do_not_ask_at_once(setting: Setting) -> None:
    setting.watch("192.0.2.1")
    other = setting.node()
    during: list[int] = []

    async def scene() -> None:
        async def meanwhile() -> None:
            during.append(await other.round(setting.collector))

        setting.collector.meanwhile = meanwhile
        assert await setting.runner.round(setting.collector) == 1

    asyncio.run(scene())
    assert during == [0], "the first node holds the lease"
    assert len(setting.collector.asked) == 1
    setting.watching.ask_now(setting.workspace, Source.BLOCKLISTS)
    assert setting.round(runner=other) == 1, "and gave it back"


def test_a_node_that_is_stopped_while_it_asks_gives_its_lease_back(setting: Setting) -> None:
    setting.watch("192.0.2.1")

    async def scene() -> None:
        begun = asyncio.Event()

        async def meanwhile() -> None:
            begun.set()
            await asyncio.sleep(3600)

        setting.collector.meanwhile = meanwhile
        client = asyncio.create_task(setting.runner.round(setting.collector))
        await begun.wait()
        assert [lease.name for lease in setting.ledger.leases.leases(setting.now)] == ["collect blocklists"]
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client

    asyncio.run(scene())
    assert setting.ledger.leases.leases(setting.now) == []


def test_what_a_dead_node_held_is_free_within_a_minute(setting: Setting) -> None:
    setting.watch("192.0.2.1")
    assert setting.ledger.leases.hold("collect blocklists", "killed", NOW, LEASE_MS)
    assert LEASE_MS <= 60_000
    assert setting.round() == 0
    assert setting.round(after_hours=60 / 3600) == 1


def test_it_wakes_when_somebody_asks_now(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 1e6)  # by itself it looks once, at the start

    async def updated(name: str) -> None:
        async with asyncio.timeout(60):
            while dict(zip(setting.names(), setting.statuses(), strict=True)).get(name) != AssetStatus.UPDATED:
                await asyncio.sleep(0.01)

    async def scene() -> None:
        setting.watch("192.0.2.1")
        running = asyncio.create_task(setting.runner.run())
        await updated("192.0.2.1")
        setting.watch("192.0.2.2")
        setting.runner.wake(Source.BLOCKLISTS)
        await updated("192.0.2.2")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scene())
    assert setting.collector.asked == [["192.0.2.1"], ["192.0.2.2"]]
