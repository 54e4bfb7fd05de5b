"""Keys that are handed to customers, and the terms they are handed out on. Values only; a token appears here never.

What a key's holder has used is not kept with the key: several keys of one workspace share what it holds.
"""

from __future__ import annotations

import msgspec


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the holder of a key may have, and for how long."""

    domains_allowed: int = 0  # 0: any number
    mailboxes_per_domain: int = 1
    aliases_per_mailbox: int = 5
    active: bool = True
    expires_at: int | None = None  # milliseconds since the epoch, UTC; None: never


class ClientKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key of a customer, without its secret."""

    id: int
    workspace: int
    created_at: int
    terms: Terms
    last_used_at: int | None = None  # to the minute

    def opens(self, now: int) -> bool:
        """Whether it may be used at this time."""
        return self.terms.active and not self.expired(now)

    def expired(self, now: int) -> bool:
        return self.terms.expires_at is not None and now >= self.terms.expires_at
