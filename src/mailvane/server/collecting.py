"""The collectors as the settings say, tied to the ledger where one needs more than it is asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from mailvane.core.dns.lookups import Lookups
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.core.leasing import Leasing
from mailvane.core.moments import DAY_MS
from mailvane.core.periodic import every
from mailvane.dmarc.arrivals import is_refused, reasons
from mailvane.dmarc.collector import make as make_reports
from mailvane.dmarc.intake import ReportIntake, Taken
from mailvane.dmarc.joining import EVERY_SECONDS as JOIN_SECONDS
from mailvane.dmarc.joining import Joining
from mailvane.dmarc.readers.reading import read_reports
from mailvane.dmarc.sender_names import SenderNames
from mailvane.outbound.complaints import Complaints
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import Refresh, Source
from mailvane.reputation.sources.catalogue import MAKERS
from mailvane.reputation.sources.collector import Collector
from mailvane.reputation.sources.dnsbl import Blocklists
from mailvane.reputation.sources.feeds import Feed
from mailvane.server.alerting import MonitoringSettings
from mailvane.server.ledger import Ledger

NAME_SECONDS = 600.0
NAMED_MS = 30 * DAY_MS  # how long what DNS said of an address counts
NAMED_AT_ONCE = 200
FETCH_SECONDS = 60.0  # how often the places are looked at where reports arrive


class Collecting:
    """Every collector, and the two ways in besides being asked: files, and reports that arrive."""

    def __init__(
        self,
        settings: MonitoringSettings,
        ledger: Ledger,
        watched_assets: WatchedAssets,
        complaints: Complaints | None = None,
    ) -> None:
        """Raises InvalidSetting."""
        self._tenants = ledger.tenants
        self._watched_assets = watched_assets
        self._joining = None if complaints is None else Joining(complaints, ledger.unjoined)
        self.intake = ReportIntake(ledger.reports, watched_assets, read_reports, self._joining, ledger.senders)
        self._senders = ledger.senders
        self._names = SenderNames(Lookups(settings.reputation.resolvers, settings.reputation.lookups_at_once))
        self.reports = make_reports(settings.dmarc, settings.reputation, ledger.tokens)
        self.reports.take, self.reports.refused = self._take, self._refused
        self.reports.fetched = self._fetched
        self.collectors: list[Collector] = [self.reports, *(make(settings.reputation) for make in MAKERS)]
        for one in self.collectors:
            if isinstance(one, Blocklists):
                one.changed, one.zone_probes.probed = ledger.zones.zones, ledger.zones.save_zone_health

    def take_in(self, workspace: int, source: Source, file: BinaryIO, name: str, now: int) -> int:
        """A file of what a source would say; how many statements were kept. Raises InvalidInput."""
        if source is Source.DMARC:
            # How many reports were news.
            taken = self.intake.take(workspace, file, name, now)
            if is_refused(taken):
                raise InvalidInput("; ".join(reasons(taken))[:1000])
            return sum(each.new for each in taken)
        reader = next(one for one in self.collectors if one.source is source)
        refreshes: Iterable[Refresh] = _believed(reader.read(file, name, now), name, now)
        if isinstance(reader, Feed):
            refreshes = reader.of_watched(refreshes, self._watched_assets.assets(workspace, reader.kind), now)
        return self._watched_assets.record(workspace, refreshes, now)

    def _take(self, workspace: str, file: BinaryIO, name: str, now: int) -> Sequence[Taken]:
        return self.intake.take(self._workspace(workspace), file, name, now)

    def _refused(self, workspace: str, reasons: Sequence[str], now: int) -> None:
        self._watched_assets.refused(self._workspace(workspace), Source.DMARC, reasons, now)

    def _fetched(self, workspace: str, trouble: str, now: int) -> None:
        """What keeps reports from arriving is said of the source at once, and taken back when it is over."""
        found = self._tenants.workspace_named(workspace)
        if found is not None:
            self._watched_assets.fetched(found.id, Source.DMARC, trouble, now)

    def _workspace(self, name: str) -> int:
        """Raises CollectionFailed: a report must wait for its workspace, and not be set aside for the lack of it."""
        found = self._tenants.workspace_named(name)
        if found is None:
            raise CollectionFailed(f"there is no workspace {name}, which reports are to be taken for")
        return found.id

    async def fetch_reports(self, leasing: Leasing, clock: Callable[[], int]) -> None:
        """Take what arrives by mail and in the directory, until cancelled; on one node at a time."""

        async def fetch() -> None:
            async with leasing.held("fetch reports") as held:
                if held is not None:
                    await self.reports.fetch(clock())

        if self.reports.fetches:
            await every(FETCH_SECONDS, "fetching reports", fetch)

    async def join_reports(self, leasing: Leasing, clock: Callable[[], int]) -> None:
        """Find the mail of reports that came before it, until cancelled; on one node at a time."""
        joining = self._joining

        async def some() -> bool:
            async with leasing.held("join reports") as held:
                if held is not None and joining is not None:
                    await asyncio.to_thread(joining.round, clock())
                return False

        await every(JOIN_SECONDS, "joining reports to their mail", some)

    async def name_senders(self, leasing: Leasing, clock: Callable[[], int]) -> None:
        """Ask DNS whose the addresses are that mail came from, until cancelled; on one node at a time."""

        async def some() -> bool:
            async with leasing.held("name senders") as held:
                if held is None:
                    return False
                now = clock()
                addresses = await asyncio.to_thread(self._senders.unnamed, now - NAMED_MS, NAMED_AT_ONCE)
                named = await self._names.name(addresses, now) if addresses else []
                heard = await asyncio.to_thread(self._senders.keep_addresses, named) if named else []
                await asyncio.to_thread(self.intake.name_senders, heard, now)
                return len(named) == NAMED_AT_ONCE

        await every(NAME_SECONDS, "naming senders", some)


def _believed(refreshes: Iterable[Refresh], name: str, now: int) -> Iterator[Refresh]:
    """What tells of a day to come would be the newest until then, whatever the source says. Raises InvalidInput."""
    for refresh in refreshes:
        for one in refresh.observations:
            if one.at > now + DAY_MS:
                raise InvalidInput(f"{name}: what it tells of {one.asset[:80]} lies in the future")
        yield refresh
