"""Whose question is next: tenants take turns, however many questions each has, and no tenant has every place.

Within a tenant the first that came is the first. Belongs to one event loop; runs nothing itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from time import monotonic

from mailvane.core.errors import StoreUnavailable

_MOST_WAITING = 1_000


class _Tenant:
    """What one tenant has: questions that are being answered, and those that wait."""

    def __init__(self) -> None:
        self.answered_now = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turns:
    """So many places, given to tenants in turn. One place is left for the others while there is more than one."""

    def __init__(self, places: int, most_waiting: int = _MOST_WAITING) -> None:
        self._free = places
        self._each = max(1, places - 1)
        self._most_waiting = most_waiting
        self.waited = 0.0  # seconds, by who was given a place last
        self._tenants: dict[Hashable, _Tenant] = {}  # the next in turn first

    @property
    def is_crowded(self) -> bool:
        """Every place is taken: whoever asks now has to wait."""
        return not self._free

    @asynccontextmanager
    async def turn(self, tenant: Hashable) -> AsyncIterator[None]:
        """Wait for a place, and hold it for the length of the block. Raises StoreUnavailable: too many wait already."""
        await self._wait(tenant)
        try:
            yield
        finally:
            self._give_back(tenant)

    async def _wait(self, tenant: Hashable) -> None:
        known = self._tenants.setdefault(tenant, _Tenant())
        if len(known.waiting) >= self._most_waiting:
            raise StoreUnavailable(f"{self._most_waiting} questions of this workspace wait already")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        known.waiting.append(place)
        began = monotonic()
        self._call()
        try:
            await place
            self.waited = monotonic() - began
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give_back(tenant)  # it was given while we were leaving
            else:
                if place in known.waiting:
                    known.waiting.remove(place)
                self._forget(tenant)
            raise

    def _give_back(self, tenant: Hashable) -> None:
        self._tenants[tenant].answered_now -= 1
        self._free += 1
        self._forget(tenant)
        self._call()

    def _call(self) -> None:
        """Give what is free to those whose turn it is."""
        while self._free:
            found = next((each for each in self._tenants.items() if self._may_take(each[1])), None)
            if found is None:
                return
            name, tenant = found  # the name of a tenant may be None, too
            del self._tenants[name]
            self._tenants[name] = tenant  # at the end: the others come first now
            self._free -= 1
            tenant.answered_now += 1
            tenant.waiting.popleft().set_result(None)

    def _may_take(self, tenant: _Tenant) -> bool:
        while tenant.waiting and tenant.waiting[0].cancelled():  # and not gone yet
            tenant.waiting.popleft()
        return bool(tenant.waiting) and tenant.answered_now < self._each

    def _forget(self, name: Hashable) -> None:
        tenant = self._tenants.get(name)
        if tenant is not None and not tenant.waiting and not tenant.answered_now:
            del self._tenants[name]
