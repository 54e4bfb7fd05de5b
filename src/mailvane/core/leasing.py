"""What only one process may do at a time: a short lease, renewed while it lasts and given back at its end.

A process that is killed cannot give back; others wait until its lease is over, which is less than a minute.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
from sqlalchemy import delete, select

from mailvane.core.errors import MailvaneError
from mailvane.core.ledger.database import Database
from mailvane.core.ledger.tables import leases

log = logging.getLogger(__name__)


class Lease(msgspec.Struct, frozen=True):
    """What one process does alone until then, unless it renews it."""

    name: str
    holder: str
    until: int


class LeaseStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, name: str, holder: str, now: int, for_ms: int) -> bool:
        """Take or renew a lease; False while another process holds it."""
        statement = self._database.insert(leases).values(name=name, holder=holder, until=now + for_ms)
        # One that lasts much longer than any is given was taken by a clock that was ahead.
        free = (leases.c.holder == holder) | (leases.c.until <= now) | (leases.c.until > now + 2 * for_ms)
        taking = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
            where=free,
        )
        with self._database.write() as connection:
            return connection.execute(taking.returning(leases.c.name)).first() is not None

    def give_back(self, name: str, holder: str) -> None:
        """Let others have it, if it is still this holder's."""
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

    def void_leases(self) -> int:
        """End those of everybody, who are known to be gone; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(leases)).rowcount

    def leases(self, now: int) -> list[Lease]:
        """Those that are held, by name."""
        held = select(leases).where(leases.c.until > now).order_by(leases.c.name)
        with self._database.read() as connection:
            return [Lease(row.name, row.holder, row.until) for row in connection.execute(held)]


LEASE_MS = 45_000
RENEW_SECONDS = 15.0


def process_name() -> str:
    """What people and other processes know this one by; another with each call."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Held:
    """A lease that was taken. `lost`: it could not be renewed in time, so another process may be at it."""

    def __init__(self) -> None:
        self.lost = False


class Leasing:
    """Of one process, which `holder` names to people. Belongs to one event loop."""

    def __init__(self, leases: LeaseStore, clock: Callable[[], int], holder: str = "") -> None:
        self._leases = leases
        self._clock = clock
        self.holder = holder or process_name()

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Held | None]:
        """For the length of a block; None while another process holds it. Raises StoreUnavailable."""
        taking = asyncio.get_running_loop().run_in_executor(None, self._take, name)
        held = Held()
        renewing: asyncio.Task[None] | None = None
        try:
            if not await asyncio.shield(taking):
                yield None
                return
            renewing = asyncio.create_task(self._renew(name, held))
            yield held
        finally:
            if renewing is not None:
                renewing.cancel()
            # Also when the block was cancelled while the lease was being taken.
            with suppress(MailvaneError):  # it ends by itself
                if await taking:
                    await asyncio.to_thread(self._leases.give_back, name, self.holder)

    def _take(self, name: str) -> bool:
        return self._leases.hold(name, self.holder, self._clock(), LEASE_MS)

    async def _renew(self, name: str, held: Held) -> None:
        while not held.lost:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                held.lost = not await asyncio.to_thread(self._take, name)
            except MailvaneError as error:
                log.warning("the lease %s could not be renewed: %s", name, error)
        log.warning("another process has taken the lease %s", name)
