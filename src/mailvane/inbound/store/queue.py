"""Messages on their way to a next hop: who has them in hand, and which are due, the oldest first.

A message in hand has a holder, and a time (`next_at`) at which it is free again should the holder have died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select, update

from mailvane.core.ledger.columns import in_chunks
from mailvane.core.ledger.database import Database
from mailvane.core.names import mail_domain
from mailvane.inbound.model import Message
from mailvane.inbound.store.rows import COLUMNS, message_of
from mailvane.inbound.store.tables import messages

_QUEUED = messages.c.next_at.is_not(None)
_AT_ONCE = 500
_LOOKED_AT_ONCE = 10_000


class DomainKey(NamedTuple):
    """A domain whose mail is taken in."""

    workspace: int
    name: str  # canonical


def domain_key(workspace: int, recipient: str) -> DomainKey:
    """Of a recipient as RCPT TO named it."""
    return DomainKey(workspace, mail_domain(recipient.rpartition("@")[2]))


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
        # A pause that is cut short begins anew where the next try fails as well: none gives up sooner for it.
        tries = case((messages.c.attempts > 0, messages.c.attempts - 1), else_=0)
        with self._database.write() as connection:
            return connection.execute(update(messages).where(*waiting).values(next_at=now, attempts=tries)).rowcount

    def give_back(self, ids: Sequence[str], holder: str, now: int) -> None:
        """Make those due that a holder has in hand and will not try."""
        with self._database.write() as connection:
            for some in in_chunks(ids, _AT_ONCE):
                own = messages.c.id.in_(some), messages.c.holder == holder, _QUEUED
                connection.execute(update(messages).where(*own).values(holder="", next_at=now))

    def move(self, places: Mapping[DomainKey, str], now: int) -> int:
        """Have what waits for recipients of these domains go to these next hops, and at once; how many moved.

        What is in hand is tried where it was first.
        """
        moved = 0
        for workspace in sorted({key.workspace for key in places}):
            moved += self._move(workspace, places, now)
        return moved

    def _move(self, workspace: int, places: Mapping[DomainKey, str], now: int) -> int:
        last, moved = 0, 0
        queued = _QUEUED, messages.c.workspace == workspace
        while True:
            some = select(messages.c.serial, messages.c.recipient, messages.c.hop).where(*queued)
            with self._database.read() as connection:
                rows = connection.execute(
                    some.where(messages.c.serial > last).order_by(messages.c.serial).limit(_LOOKED_AT_ONCE)
                ).all()
            if not rows:
                return moved
            last = rows[-1].serial
            goes = {row.serial: places.get(domain_key(workspace, row.recipient), row.hop) for row in rows}
            wrong = {row.serial: goes[row.serial] for row in rows if goes[row.serial] != row.hop}
            moved += self._moved(wrong, now) if wrong else 0

    def _moved(self, goes: Mapping[int, str], now: int) -> int:
        at = case((messages.c.holder == "", now), else_=messages.c.next_at)
        count = 0
        with self._database.write() as connection:
            for hop in sorted(set(goes.values())):
                for some in in_chunks((serial for serial, where in goes.items() if where == hop), _AT_ONCE):
                    own = messages.c.serial.in_(some), _QUEUED
                    changed = update(messages).where(*own).values(hop=hop, next_at=at)
                    count += connection.execute(changed).rowcount
        return count

    def let_go(self, now: int, holder: str | None = None) -> int:
        """Make those due that a holder has in hand, or any holder when None; how many."""
        held = messages.c.holder != "" if holder is None else messages.c.holder == holder
        with self._database.write() as connection:
            return connection.execute(update(messages).where(_QUEUED, held).values(holder="", next_at=now)).rowcount
