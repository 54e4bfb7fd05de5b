"""The connections of one listening socket: limits in all and of one peer, and which is closed beyond them.

A new connection is taken: whoever asks whether the server is alive has to be heard. What ends instead is the oldest of
those that have proven nothing yet; where these are few, the one that has been idle for longest. Knows no protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

import msgspec

C = TypeVar("C")

_IPV6_PREFIX = 64  # bits that one customer of a network provider usually gets whole
# Unproven connections that are taken even where every place belongs to proven ones in the middle of a request.
_SPARE = 64


class ConnectionLimits(msgspec.Struct, frozen=True):
    """How many connections one listening socket holds at once."""

    total: int
    per_peer: int


def peer_of(address: object) -> str:
    """Who counts as one peer: an IPv4 address, the /64 network of an IPv6 address, or "" for a local socket.

    `address` is what the system calls the name of the peer: a tuple that begins with the address.
    """
    if not isinstance(address, tuple) or not address:
        return ""
    try:
        found = ip_address(str(address[0]).partition("%")[0])
    except ValueError:
        return str(address[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> (128 - _IPV6_PREFIX) << (128 - _IPV6_PREFIX)))
    return str(found)


class _Group(Generic[C]):
    """Connections that share a limit: those that proved nothing by age, the others by when they were last heard."""

    def __init__(self) -> None:
        self.unproven: dict[C, None] = {}
        self.proven: dict[C, None] = {}

    def __len__(self) -> int:
        return len(self.unproven) + len(self.proven)

    def discard(self, connection: C) -> None:
        self.unproven.pop(connection, None)
        self.proven.pop(connection, None)


class Connections(Generic[C]):
    """Those that are open now. Belongs to one event loop."""

    def __init__(
        self, limits: ConnectionLimits, is_idle: Callable[[C], bool], evict: Callable[[C], None], spare: int = _SPARE
    ) -> None:
        self.limits = limits
        self.evicted = 0
        self._is_idle = is_idle
        self._evict = evict
        self._spare = spare
        self._all: _Group[C] = _Group()
        self._peers: dict[str, _Group[C]] = {}
        self._peer_of: dict[C, str] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._peer_of))

    def enter(self, connection: C, peer: str) -> None:
        """Take a new one, and end another where that makes too many."""
        group = self._peers.setdefault(peer, _Group())
        self._peer_of[connection] = peer
        for each in (group, self._all):
            each.unproven[connection] = None
        self._make_room(group, self.limits.per_peer)
        self._make_room(self._all, self.limits.total)

    def prove(self, connection: C) -> None:
        """The peer has proven a key, and was active just now."""
        peer = self._peer_of.get(connection)
        if peer is None:
            return
        for each in (self._peers[peer], self._all):
            each.discard(connection)
            each.proven[connection] = None

    def leave(self, connection: C) -> None:
        """It has ended. May be said twice."""
        peer = self._peer_of.pop(connection, None)
        if peer is None:
            return
        self._all.discard(connection)
        group = self._peers[peer]
        group.discard(connection)
        if not len(group):
            del self._peers[peer]

    def of_peer(self, peer: str) -> int:
        """How many are open from there."""
        return len(self._peers.get(peer, ()))

    def _make_room(self, group: _Group[C], limit: int) -> None:
        if len(group) <= limit:
            return
        victim = self._victim(group, limit)
        if victim is not None:
            self.leave(victim)
            self.evicted += 1
            self._evict(victim)

    def _victim(self, group: _Group[C], limit: int) -> C | None:
        """None: proven requests take every place, and there is still spare room for the newest."""
        spare = min(self._spare, limit // 4)
        if len(group.unproven) > spare:
            return next(iter(group.unproven))
        idle = next((each for each in group.proven if self._is_idle(each)), None)
        if idle is not None or len(group) <= limit + spare:
            return idle
        return next(iter(group.unproven), None)
