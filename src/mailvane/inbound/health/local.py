"""This server's own inbound mail, asked of the stores: every count is exact, and a list that is empty has 0."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

from mailvane.inbound.health.model import HeldMessage, Sender
from mailvane.inbound.health.upstream import Counted, Usage
from mailvane.inbound.model import AddressType, Contact, Message, MessageStatus
from mailvane.inbound.quarantine import Decided
from mailvane.inbound.questions import ContactQuestion, MessageQuestion
from mailvane.inbound.services import InboundServices
from mailvane.inbound.weeks import week_start

ACTOR = "health remediation"  # as the audit names it


class OwnServer:
    """Implements Upstream for one workspace. Any method may raise StoreUnavailable."""

    def __init__(self, services: InboundServices, workspace: int, clock: Callable[[], int]) -> None:
        self._stores = services.stores
        self._received = services.received
        self._quarantine = services.quarantine
        self._workspace = workspace
        self._clock = clock

    async def usage(self) -> Usage:
        return await asyncio.to_thread(self._usage)

    async def quarantined(self) -> Counted:
        return await self.messages(MessageStatus.QUARANTINED)

    async def messages(self, status: str) -> Counted:
        counts = await asyncio.to_thread(self._received.counts, self._workspace)
        return Counted(counts.get(MessageStatus(status), 0))

    async def senders(self, limit: int) -> Sequence[Sender]:
        question = ContactQuestion(workspace=self._workspace, order="email_count")
        found = await asyncio.to_thread(self._received.contacts, question, 0, limit)
        return [Sender(one.email, one.email_count, one.state.value) for one in found.contacts]

    async def held(self, most: int) -> Sequence[HeldMessage]:
        return await asyncio.to_thread(self._held, most)

    async def accept(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The quarantine notes in its audit who has accepted them."""
        decided = await asyncio.to_thread(self._quarantine.accept, self._workspace, ids, ACTOR, self._clock())
        return _outcomes(decided)

    async def reject(self, ids: Sequence[str]) -> Mapping[str, str]:
        decided = await asyncio.to_thread(self._quarantine.reject, self._workspace, ids, ACTOR, self._clock())
        return _outcomes(decided)

    def _held(self, most: int) -> list[HeldMessage]:
        held = (MessageStatus.QUARANTINED,)
        question = MessageQuestion(workspace=self._workspace, statuses=held, ascending=True)
        messages = self._stores.pages.page(question, 0, most).messages
        contacts = self._stores.contacts.by_id(self._workspace, sorted({one.contact for one in messages}))
        return [_held_message(one, contacts.get(one.contact)) for one in messages]

    def _usage(self) -> Usage:
        team = self._stores.teams.team(self._workspace)
        week = week_start(self._clock(), ZoneInfo(team.zone))
        return Usage(
            weekly_used=self._received.used(self._workspace, week),
            weekly_limit=team.weekly_limit,
            aliases_used=self._stores.addresses.count(self._workspace, AddressType.ALIAS),
            aliases_limit=team.aliases_limit,
            mailboxes_used=self._stores.addresses.count(self._workspace, AddressType.MAILBOX),
        )


def _held_message(message: Message, contact: Contact | None) -> HeldMessage:
    return HeldMessage(
        id=message.id,
        sender=message.from_address if contact is None else contact.email,
        state=None if contact is None else contact.state.value,
        subject=message.subject,
    )


def _outcomes(decided: Sequence[Decided]) -> dict[str, str]:
    return {one.id: "" if one.refusal is None else f"{one.refusal.value}: {one.reason}" for one in decided}
