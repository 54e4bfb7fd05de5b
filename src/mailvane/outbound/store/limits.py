"""Limits of the installation for mailboxes, logins and domains, and what their counters say."""

from __future__ import annotations

from sqlalchemy import delete, select

from mailvane.core.ledger.database import Database
from mailvane.outbound.model import EVERY, LimitKind, LimitWindow, SenderLimit
from mailvane.outbound.store.senders import counter_of, limit_of, named_limits
from mailvane.outbound.store.tables import send_limits, sender_days


class LimitStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[SenderLimit]:
        """By kind and name."""
        wanted = select(send_limits).order_by(send_limits.c.kind, send_limits.c.name)
        with self._database.read() as connection:
            return [limit_of(row) for row in connection.execute(wanted)]

    def of(self, kind: LimitKind, name: str) -> SenderLimit | None:
        """The limit that holds for this name: its own, else that of all. Its name tells which."""
        with self._database.read() as connection:
            found = named_limits(connection, {name, EVERY})
        return found.get((kind, name)) or found.get((kind, EVERY))

    def put(self, limit: SenderLimit) -> None:
        row = {"kind": limit.kind.value, "name": limit.name}
        windows = {window.value: getattr(limit, window.value) for window in LimitWindow}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(send_limits), row | windows)

    def remove(self, kind: LimitKind, name: str) -> bool:
        """Whether there was one."""
        own = (send_limits.c.kind == kind.value) & (send_limits.c.name == name)
        with self._database.write() as connection:
            return connection.execute(delete(send_limits).where(own)).rowcount > 0

    def sent(self, limit: SenderLimit, now: int) -> dict[LimitWindow, int]:
        """What has passed in the windows of a limit until now."""
        digests = {counter_of(limit, window, now).digest: window for window, _ in limit.windows}
        wanted = select(sender_days.c.digest, sender_days.c.sent).where(sender_days.c.digest.in_(list(digests)))
        with self._database.read() as connection:
            found = {bytes(digest): sent for digest, sent in connection.execute(wanted)}
        return {window: found.get(digest, 0) for digest, window in digests.items()}
