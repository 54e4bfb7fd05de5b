"""Ends what is kept for a time: snoozed messages go on, held ones are denied, content of failed ones and old messages
are forgotten, and so is content that nothing refers to, as a process leaves it that is killed between file and ledger.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.inbound import events
from mailvane.inbound.content import ContentStore
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import Change
from mailvane.inbound.stores import InboundStores

_AT_ONCE = 500
_FINAL = frozenset(MessageStatus) - {MessageStatus.PENDING, MessageStatus.SNOOZED, MessageStatus.QUARANTINED}


class Retention:
    """Of one content directory. Safe to run twice at once."""

    def __init__(
        self, stores: InboundStores, contents: ContentStore, settings: InboundSettings, clock: Callable[[], int]
    ) -> None:
        self._stores = stores
        self._contents = contents
        self._settings = settings
        self._clock = clock

    def tidy(self) -> None:
        """Raises StoreUnavailable."""
        now = self._clock()
        self.expire()
        self._forget(now - self._settings.message_days * DAY_MS)
        self._contents.remove(list(self._contents.ids()), self._stores.messages.uses)

    def expire(self) -> None:
        """What was snoozed goes on, what was held for its time is denied, what failed cannot be tried again.

        Raises StoreUnavailable.
        """
        now = self._clock()
        while messages := self._stores.messages.expired(now, _AT_ONCE):
            if not self._stores.messages.change([_expired(message, now) for message in messages], now):
                return

    def _forget(self, before: int) -> None:
        while messages := self._stores.messages.old(_FINAL, before, _AT_ONCE):
            if not self._stores.messages.remove(messages):
                return


def _expired(message: Message, now: int) -> Change:
    if message.status is MessageStatus.SNOOZED:
        woken = msgspec.structs.replace(
            message, status=MessageStatus.PENDING, reason="was snoozed", expires_at=None, next_at=now, changed_at=now
        )
        return Change(before=message, after=woken)
    after = msgspec.structs.replace(message, content=None, expires_at=None, changed_at=now)
    if message.status is not MessageStatus.QUARANTINED:
        return Change(before=message, after=after)
    after = msgspec.structs.replace(
        after, status=MessageStatus.DENIED, reason="nobody decided about it while it was held"
    )
    event = events.decided(after, now)
    return Change(before=message, after=after, events=() if event is None else (event,))
