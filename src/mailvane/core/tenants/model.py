"""Workspaces, their relays, and the keys that open them. Values only; secrets appear here never, only their hashes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

INBOUND_RELAY = 0  # stands for the mail that comes in; those of mail that goes out count from 1


class Workspace(msgspec.Struct, frozen=True):
    """The tenant. Everything belongs to one."""

    id: int
    name: str
    created_at: int  # milliseconds since the epoch, UTC
    retention_days: int = 0  # 0 keeps mail events for ever


class Price(msgspec.Struct, frozen=True):
    """What a relay costs in a billing cycle: the base and an amount per thousand mails accepted."""

    base: Decimal = Decimal("1.00")
    per_thousand: Decimal = Decimal("0.20")
    currency: str = "USD"  # ISO 4217


class Relay(msgspec.Struct, frozen=True):
    """A stream of outgoing mail of a workspace: a Postfix, an SES account."""

    id: int
    workspace: int
    comment: str
    active: bool
    created_at: int
    billing_day: int = 1  # of the month, 1 to 28
    price: Price = Price()


class KeyKind(StrEnum):
    """What a key opens."""

    WORKSPACE = "workspace"  # one workspace
    PLATFORM = "platform"  # every workspace, one at a time, named by the request
    CLIENT = "client"  # the domains it owns in one workspace
    MASTER = "master"  # everything; from the settings, never stored


class Key(msgspec.Struct, frozen=True):
    """A stored key, without its secret."""

    id: int
    kind: KeyKind
    workspace: int | None  # None for a platform key
    hint: str  # the first characters, to recognise it by
    created_at: int
    expires_at: int | None = None  # milliseconds since the epoch, UTC; None: never
    last_used_at: int | None = None  # to the minute

    def expired(self, now: int) -> bool:
        return self.expires_at is not None and now >= self.expires_at


class Principal(msgspec.Struct, frozen=True):
    """Who is asking: what the presented key proved."""

    kind: KeyKind
    workspace: int | None
    key: int | None = None
