"""Messages on their way to a next hop: who has them in hand, and which are due, the oldest first.

A message in hand has a holder, and a time (`next_at`) at which it is free again should the holder have died.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update

from mailvane.core.ledger.database import Database
from mailvane.inbound.model import Message
from mailvane.inbound.store.rows import COLUMNS, message_of
from mailvane.inbound.store.tables import messages

_QUEUED = messages.c.next_at.is_not(None)


class QueueStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hops(self) -> dict[str, int]:
        """The next hops that something waits for, with when the next try is."""
        wanted = select(messages.c.hop, func.min(messages.c.next_at)).where(_QUEUED).group_by(messages.c.hop)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def take(self, hop: str, now: int, limit: int, holder: str, hold_ms: int) -> list[Message]:
        """Those of a next hop that are due, the oldest first; nobody else takes them within `hold_ms`."""
        due = (
            select(messages.c.serial)
            .where(_QUEUED, messages.c.hop == hop, messages.c.next_at <= now)
            .order_by(messages.c.received_at, messages.c.serial)
            .limit(limit)
        )
        with self._database.read() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            serials = connection.execute(due.with_for_update(skip_locked=True)).scalars().all()
            own = messages.c.serial.in_(serials)
            connection.execute(update(messages).where(own).values(holder=holder, next_at=now + hold_ms))
            wanted = select(*COLUMNS).where(own).order_by(messages.c.received_at, messages.c.serial)
            return [message_of(row) for row in connection.execute(wanted)]

    def hold_on(self, ids: Sequence[str], holder: str, until: int) -> None:
        """Keep those in hand for longer."""
        own = messages.c.id.in_(ids), messages.c.holder == holder, _QUEUED
        with self._database.write() as connection:
            connection.execute(update(messages).where(*own).values(next_at=until))

    def wake(self, hop: str, now: int) -> int:
        """Make those due that wait for another try and are in nobody's hand; how many."""
        waiting = (_QUEUED, messages.c.hop == hop, messages.c.holder == "", messages.c.next_at > now)
        with self._database.write() as connection:
            return connection.execute(update(messages).where(*waiting).values(next_at=now)).rowcount

    def let_go(self, now: int, holder: str | None = None) -> int:
        """Make those due that a holder has in hand, or any holder when None; how many."""
        held = messages.c.holder != "" if holder is None else messages.c.holder == holder
        with self._database.write() as connection:
            return connection.execute(update(messages).where(_QUEUED, held).values(holder="", next_at=now)).rowcount
