"""Whom a health report asks: a protocol with two implementations, this server's stores and a server over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from mailvane.core.errors import CollectionFailed
from mailvane.inbound.health.model import HeldMessage, Sender


class Unanswered(CollectionFailed):
    """A question of a health report was not answered, or not in a way that can be understood."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /team says; None: it did not say so."""

    weekly_used: int | None = None
    weekly_limit: int | None = None
    aliases_used: int | None = None
    aliases_limit: int | None = None
    mailboxes_used: int | None = None


class Counted(msgspec.Struct, frozen=True):
    """How many there are."""

    count: int
    is_estimate: bool = False


class Upstream(Protocol):
    """Each raises Unanswered, or another MailvaneError, with what is to be told to people."""

    async def usage(self) -> Usage: ...

    async def quarantined(self) -> Counted: ...

    async def messages(self, status: str) -> Counted: ...

    async def senders(self, limit: int) -> Sequence[Sender]:
        """The contacts that sent most, those first."""

    async def held(self, most: int) -> Sequence[HeldMessage]:
        """What is in quarantine, at most so many."""

    async def accept(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Let messages out of quarantine: why not, by id, and empty for those that were. What is missing is unknown."""

    async def reject(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Deny messages in quarantine; answered likewise."""
