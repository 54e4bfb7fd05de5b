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

from mailvane.core.errors import MailvaneError
from mailvane.core.ledger.leases import LeaseStore

log = logging.getLogger(__name__)

LEASE_MS = 45_000
RENEW_SECONDS = 15.0


class Held:
    """A lease that was taken. `lost`: it could not be renewed in time, so another process may be at it."""

    def __init__(self) -> None:
        self.lost = False


class Leasing:
    """Of one process, which `holder` names to people. Belongs to one event loop."""

    def __init__(self, leases: LeaseStore, clock: Callable[[], int], holder: str = "") -> None:
        self._leases = leases
        self._clock = clock
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Held | None]:
        """For the length of a block; None while somebody else holds it. Raises StoreUnavailable."""
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
