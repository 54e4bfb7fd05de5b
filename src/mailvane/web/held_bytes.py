"""Bytes that connections hold of this process's memory, counted in all and for each peer; whose go if there are more.

Those of clients that have not proven a key have a smaller bound of their own, and go first. Among equals the request
that began first goes: one that is meant well is over in a moment. Ends no connection itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

C = TypeVar("C")

_MEBIBYTE = 1024 * 1024


class HeldLimits(msgspec.Struct, frozen=True):
    """Bytes: bodies that came in and are not answered yet, and answers that were written and not taken."""

    total: int = 256 * _MEBIBYTE
    per_peer: int = 128 * _MEBIBYTE
    unproven: int = 16 * _MEBIBYTE  # of all that have not proven a key
    unproven_per_peer: int = 8 * _MEBIBYTE


class _Held(msgspec.Struct, frozen=True):
    """What one connection is counted with."""

    peer: str
    proven: bool
    count: int


class _Pool(Generic[C]):
    """Connections that share a bound, the one that began to hold something first at the front."""

    def __init__(self) -> None:
        self.total = 0
        self.holders: dict[C, None] = {}


class HeldBytes(Generic[C]):
    """Who holds how much now. Belongs to one event loop."""

    def __init__(self, limits: HeldLimits, evict: Callable[[C], None]) -> None:
        self.limits = limits
        self.evicted = 0
        self._evict = evict
        self._held: dict[C, _Held] = {}
        self._pools: dict[tuple[str | None, bool], _Pool[C]] = {}  # by peer (None: all) and whether proven

    @property
    def total(self) -> int:
        return sum(self._total(None, proven) for proven in (False, True))

    def hold(self, connection: C, peer: str, proven: bool, count: int) -> None:
        """Note how many bytes this connection holds now; above a limit, connections are given up."""
        before = self._held.get(connection)
        if before is None or (before.peer, before.proven) != (peer, proven):
            self.release(connection)
        self._count(connection, _Held(peer, proven, count))
        if before is None or count > before.count:
            limits = self.limits
            self._shrink(peer, limits.unproven_per_peer, (False,))
            self._shrink(None, limits.unproven, (False,))
            self._shrink(peer, limits.per_peer, (False, True))
            self._shrink(None, limits.total, (False, True))

    def release(self, connection: C) -> None:
        """It holds nothing any more. May be said twice."""
        before = self._held.pop(connection, None)
        if before is None:
            return
        for key in _keys(before):
            pool = self._pools[key]
            pool.total -= before.count
            del pool.holders[connection]
            if not pool.holders:
                del self._pools[key]

    def _count(self, connection: C, held: _Held) -> None:
        before = self._held.get(connection)
        self._held[connection] = held
        for key in _keys(held):
            pool = self._pools.setdefault(key, _Pool())
            pool.total += held.count - (before.count if before else 0)
            pool.holders[connection] = None

    def _shrink(self, peer: str | None, limit: int, kinds: tuple[bool, ...]) -> None:
        while sum(self._total(peer, proven) for proven in kinds) > limit:
            pool = next(self._pools[peer, proven] for proven in kinds if (peer, proven) in self._pools)
            victim = next(iter(pool.holders))
            self.release(victim)
            self.evicted += 1
            self._evict(victim)

    def _total(self, peer: str | None, proven: bool) -> int:
        pool = self._pools.get((peer, proven))
        return pool.total if pool else 0


def _keys(held: _Held) -> tuple[tuple[str | None, bool], ...]:
    return ((None, held.proven), (held.peer, held.proven))
