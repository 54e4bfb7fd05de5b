"""This server's own inbound mail, asked of the stores: every count is exact, and a list that is empty has 0."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from mailvane.inbound.health.model import Sender
from mailvane.inbound.health.upstream import Counted, Usage
from mailvane.inbound.model import AddressType, MessageStatus
from mailvane.inbound.questions import ContactQuestion
from mailvane.inbound.stores import InboundStores
from mailvane.inbound.weeks import week_start


class OwnServer:
    """Implements Upstream for one workspace. Any method may raise StoreUnavailable."""

    def __init__(self, stores: InboundStores, workspace: int, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._workspace = workspace
        self._clock = clock

    async def usage(self) -> Usage:
        return await asyncio.to_thread(self._usage)

    async def quarantined(self) -> Counted:
        return await self.messages(MessageStatus.QUARANTINED)

    async def messages(self, status: str) -> Counted:
        counts = await asyncio.to_thread(self._stores.pages.counts, self._workspace)
        return Counted(counts.get(MessageStatus(status), 0))

    async def senders(self, limit: int) -> Sequence[Sender]:
        question = ContactQuestion(workspace=self._workspace, order="email_count")
        found = await asyncio.to_thread(self._stores.contacts.page, question, 0, limit)
        return [Sender(one.email, one.email_count, one.state.value) for one in found.contacts]

    def _usage(self) -> Usage:
        team = self._stores.teams.team(self._workspace)
        week = week_start(self._clock(), ZoneInfo(team.zone))
        return Usage(
            weekly_used=self._stores.teams.used(self._workspace, week),
            weekly_limit=team.weekly_limit,
            aliases_used=self._stores.addresses.count(self._workspace, AddressType.ALIAS),
            aliases_limit=team.aliases_limit,
            mailboxes_used=self._stores.addresses.count(self._workspace, AddressType.MAILBOX),
        )
