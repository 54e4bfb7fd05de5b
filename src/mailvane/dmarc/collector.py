"""Asks the mailbox and the directory that reports arrive in, and DNS for the policy of each watched domain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import time_ns
from typing import BinaryIO

import msgspec

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.core.errors import CollectionFailed, InvalidInput, MailvaneError
from mailvane.dmarc.arrivals import Refused, Take
from mailvane.dmarc.directory import DropDirectory
from mailvane.dmarc.intake import Unread, observation_of
from mailvane.dmarc.mail_apis import ApiMailbox
from mailvane.dmarc.mailbox import Mailbox
from mailvane.dmarc.oauth import AccessTokens, Keeping
from mailvane.dmarc.policy import names_asked, policy_of
from mailvane.dmarc.readers.reading import read_reports
from mailvane.dmarc.settings import DmarcSettings, ImapMailbox
from mailvane.reputation.model import UNFETCHED, Asset, AssetKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings

log = logging.getLogger(__name__)

Fetched = Callable[[str, str, int], None]
"""Hears of a place of a workspace, by name, that was looked at, and of its trouble, if any, at a time."""

_ASSETS_AT_ONCE = 64
_MOST_WITNESSES = 3
_FINDS_NOTHING = "its policy could not be asked for: the resolver finds neither the domain nor a name above it"


class DmarcReports:
    """Belongs to one event loop. `take` keeps what arrives; until it is set, nothing is fetched.

    The resolver is made when it is first needed.
    """

    source = Source.DMARC

    def __init__(
        self, settings: DmarcSettings, make_lookups: Callable[[], Lookups], keeping: Keeping | None = None
    ) -> None:
        """`keeping`: where refresh tokens of the mailbox are kept that were replaced."""
        self._settings = settings
        self._make_lookups = make_lookups
        self._lookups: Lookups | None = None
        path = settings.reports_directory.path
        self._mailbox = _mailbox_of(settings.reports_mailbox, keeping)
        self._directory = DropDirectory(Path(path)) if path else None
        self._fetching = asyncio.Lock()
        self.take: Take | None = None
        self.refused: Refused = lambda _workspace, _reasons, _now: None
        self.fetched: Fetched = lambda _workspace, _trouble, _now: None

    @property
    def fetches(self) -> bool:
        """Whether there is a place where reports arrive."""
        return self._mailbox is not None or self._directory is not None

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """One refresh for each asset: what its policy is now. Reports that arrived are taken first."""
        trouble = ""
        try:
            await self.fetch(now)
        except MailvaneError as error:
            # Without the reports nobody knows how a domain does, though its policy may be known.
            trouble = f"{UNFETCHED}{error.message}"
        room = asyncio.Semaphore(_ASSETS_AT_ONCE)
        known_names: list[str] = []
        without: list[Refresh] = []
        tasks = [asyncio.create_task(self._refreshed(asset.name, now, trouble, room)) for asset in assets]
        try:
            for done in asyncio.as_completed(tasks):
                refresh = await done
                if refresh.error or refresh.details["dmarc"]:
                    known_names += [f"_dmarc.{refresh.details['found_at']}"] if not refresh.error else []
                    yield refresh
                else:
                    without.append(refresh)
        finally:
            for task in tasks:
                task.cancel()
        for refresh in without:
            yield await self._confirmed(refresh, known_names[:_MOST_WITNESSES])

    async def fetch(self, now: int) -> int:
        """Take what has arrived; how many files and messages. Raises CollectionFailed where one could not be asked."""
        if self.take is None:
            return 0
        places = (
            (self._directory is not None, self._settings.reports_directory.workspace, self._from_directory),
            (self._mailbox is not None, self._settings.reports_mailbox.workspace, self._from_mailbox),
        )
        async with self._fetching:
            count = 0
            troubles: dict[str, list[str]] = {workspace: [] for there, workspace, _ in places if there}
            for there, workspace, one in places:
                try:
                    count += await asyncio.to_thread(one, self.take, now) if there else 0
                except MailvaneError as error:
                    troubles[workspace].append(error.message)
            for workspace, told in troubles.items():
                await asyncio.to_thread(self.fetched, workspace, "; ".join(told), now)
        if any(troubles.values()):
            raise CollectionFailed("; ".join(each for told in troubles.values() for each in told))
        return count

    def _from_directory(self, take: Take, now: int) -> int:
        if self._directory is None:
            return 0
        workspace = self._settings.reports_directory.workspace
        refuse = partial(self._refuse, workspace, now)
        return self._directory.read(lambda file, name: take(workspace, file, name, now), now, refuse)

    def _from_mailbox(self, take: Take, now: int) -> int:
        if self._mailbox is None:
            return 0
        workspace = self._settings.reports_mailbox.workspace
        refuse = partial(self._refuse, workspace, now)
        return self._mailbox.read(lambda file, name: take(workspace, file, name, now), refuse)

    def _refuse(self, workspace: str, now: int, reasons: Sequence[str]) -> None:
        if reasons:
            self.refused(workspace, reasons, now)

    async def _refreshed(self, name: str, now: int, trouble: str, room: asyncio.Semaphore) -> Refresh:
        refreshed = partial(Refresh, source=self.source, kind=AssetKind.DMARC, asset=name, at=now)
        if trouble:
            return refreshed(error=trouble)
        async with room:
            try:
                return refreshed(details=await policy_of(name, self._resolver().texts))
            except Unanswered as error:
                return refreshed(error=f"its policy could not be asked for: {error.message}")

    async def _confirmed(self, without: Refresh, known_names: Sequence[str]) -> Refresh:
        """No policy counts only when the resolver finds names that exist, before and after."""
        known = [*known_names, *names_asked(without.asset)]
        if not await self._resolver().finds_one_of(known):
            return msgspec.structs.replace(without, error=_FINDS_NOTHING, details={})
        again = await self._refreshed(without.asset, without.at, "", asyncio.Semaphore(1))
        if again.error or again.details["dmarc"] or await self._resolver().finds_one_of(known):
            return again
        return msgspec.structs.replace(without, error=_FINDS_NOTHING, details={})

    def _resolver(self) -> Lookups:
        if self._lookups is None:
            self._lookups = self._make_lookups()
        return self._lookups

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """What the reports of a file say, without their rows, which the intake keeps. Raises InvalidInput."""
        for found in read_reports(file, name):
            if isinstance(found, Unread):
                raise InvalidInput(f"{found.name}: {found.reason}")
            observation = observation_of(found, now)
            yield Refresh(
                source=self.source, kind=AssetKind.DMARC, asset=observation.asset, at=now, observations=(observation,)
            )


def _mailbox_of(settings: ImapMailbox, keeping: Keeping | None) -> Mailbox | ApiMailbox | None:
    if not settings.is_set:
        return None
    if settings.oauth_file is None:
        return Mailbox(settings)
    tokens = AccessTokens(settings.oauth_file, settings.user, settings.via, keeping, _clock)
    return Mailbox(settings, tokens=tokens) if settings.via == "imap" else ApiMailbox(settings, tokens)


def _clock() -> int:
    """Of tokens, whose ends their servers tell in seconds from now."""
    return time_ns() // 1_000_000


def make(settings: DmarcSettings, reputation: ReputationSettings, keeping: Keeping | None = None) -> DmarcReports:
    """Policies can be asked for whatever is set; `asking` says by which resolvers."""
    return DmarcReports(settings, lambda: Lookups(reputation.resolvers, reputation.lookups_at_once), keeping)
