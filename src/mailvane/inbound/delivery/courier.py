"""Hands messages on: a queue for each next hop, the oldest message first, over a few connections that are kept open.

What a process has in hand is marked in the ledger with its name and a time. After that time, or when the process starts
again, it is anybody's. A message is forgotten here only when the ledger knows what became of it: one that the next hop
took just before the process was killed is handed on a second time, and no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

import msgspec

from mailvane.core.errors import MailvaneError
from mailvane.core.moments import MINUTE_MS
from mailvane.inbound.content import ContentStore, KeptContent
from mailvane.inbound.delivery.hop_queue import HopQueue, Waiting
from mailvane.inbound.keeping import Keeping
from mailvane.inbound.model import InboundDomain, Message, NextHop
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.queue import DomainKey, domain_key
from mailvane.inbound.store.rows import Change
from mailvane.inbound.stores import InboundStores
from mailvane.maillog.reasons import Reasons

log = logging.getLogger(__name__)

HOLD_MS = 10 * MINUTE_MS
_RENEW_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_TAKEN_AT_ONCE = 500
_MEMORY_BYTES = 128 * 1024 * 1024  # of contents that wait here; what is more is read again when its turn comes
_STRICTNESS = ("none", "opportunistic", "required")


class CourierParts(msgspec.Struct, frozen=True, kw_only=True):
    """What it works with."""

    stores: InboundStores
    contents: ContentStore
    settings: InboundSettings
    reasons: Reasons


class Courier:
    """Belongs to one event loop."""

    def __init__(self, parts: CourierParts, holder: str, clock: Callable[[], int], keeping: Keeping) -> None:
        """`holder` names this process in the ledger."""
        stores, contents, settings, reasons = parts.stores, parts.contents, parts.settings, parts.reasons
        self.settings = settings
        self.reasons = reasons
        self.clock = clock
        self._stores = stores
        self._kept = KeptContent(contents, stores.spool.packed)
        self._holder = holder
        self._queues: dict[str, HopQueue] = {}
        self._known: dict[str, NextHop] = {}
        self._places: dict[DomainKey, str] = {}  # names of the next hops
        self._moving: dict[DomainKey, str] = {}
        self._held_bytes = 0
        self.under_way = 0  # messages that are being sent, or whose end is being kept
        self._keeping = keeping
        keeping.steps_coming = lambda: self.under_way

    def take(self, messages: Sequence[Message], content: bytes, hops: Sequence[NextHop]) -> None:
        """Messages that are in this process's hand since they were stored, and what is known of where they go."""
        self._know(strictest([*hops, *(self._known[hop.name] for hop in hops if hop.name in self._known)]))
        kept: bytes | None = content
        if self._held_bytes + len(content) > _MEMORY_BYTES:
            kept = None
        for message in messages:
            self.hold(kept)
            self._queue(message.hop).put(Waiting(message, kept))

    async def run(self) -> None:
        """Until it is cancelled: then what is not under way is given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_again_and_again())
                group.create_task(self._renew_again_and_again())
        finally:
            for queue in self._queues.values():
                await queue.stop()
            await self._keeping.drain()
            await asyncio.shield(asyncio.to_thread(self._stores.queue.let_go, self.clock(), self._holder))

    async def settle(self, change: Change) -> bool:
        """Keep what became of a message; False when somebody else has changed it. Raises StoreUnavailable."""
        return await self._keeping.change(change)

    async def content(self, waiting: Waiting) -> bytes:
        """Raises NotFound, StoreDamaged, StoreUnavailable."""
        if waiting.content is not None:
            return waiting.content
        return await asyncio.to_thread(self._kept.get, waiting.message.content or "")

    def hold(self, content: bytes | None) -> None:
        self._held_bytes += len(content or b"")

    def let_go(self, content: bytes | None) -> None:
        self._held_bytes -= len(content or b"")

    async def recovered(self, hop: str) -> None:
        """A next hop that was down is there again: all that waits for it is due."""
        woken = await asyncio.to_thread(self._stores.queue.wake, hop, self.clock())
        if woken:
            log.info("%s is there again; %d message(s) that waited for it are due", hop, woken)
        await self._take_due(hop)

    def _know(self, hops: dict[str, NextHop]) -> None:
        self._known |= hops
        for name, hop in hops.items():
            if name in self._queues:
                self._queues[name].hop = hop

    def _queue(self, hop: str) -> HopQueue:
        queue = self._queues.get(hop)
        if queue is None:
            queue = self._queues[hop] = HopQueue(self._known.get(hop) or parsed_hop(hop), self)
        return queue

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self._look()
            except MailvaneError as error:
                log.warning("the queue cannot be looked at: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        """Take what is due, as far as there is room for it."""
        domains, due = await asyncio.to_thread(self._due)
        self._know(strictest(domain.hop for domain in domains))
        await self._move({DomainKey(domain.workspace, domain.name): domain.hop.name for domain in domains})
        for hop, at in due.items():
            if at <= self.clock():
                await self._take_due(hop)

    async def _take_due(self, hop: str) -> None:
        queue = self._queue(hop)
        while queue.has_room:
            taken = await asyncio.to_thread(
                self._stores.queue.take, hop, self.clock(), _TAKEN_AT_ONCE, self._holder, HOLD_MS
            )
            for message in taken:
                queue.put(Waiting(message, None))
            if len(taken) < _TAKEN_AT_ONCE:
                return

    async def _move(self, places: dict[DomainKey, str]) -> None:
        """Where domains have another next hop than before, have what waits for it go there.

        Twice, as mail that came in meanwhile may have been stored for the one before.
        """
        changed = {key: hop for key, hop in places.items() if self._places.get(key) != hop}
        going = self._moving | changed
        if not going:
            return

        def goes_elsewhere(message: Message) -> bool:
            return going.get(domain_key(message.workspace, message.recipient), message.hop) != message.hop

        ids = [each for queue in self._queues.values() for each in queue.give_back(goes_elsewhere)]
        if ids:
            await asyncio.to_thread(self._stores.queue.give_back, ids, self._holder, self.clock())
        moved = await asyncio.to_thread(self._stores.queue.move, going, self.clock())
        if moved:
            log.info("%d message(s) that waited go to the next hop that their domain has now", moved)
        self._places, self._moving = places, changed

    def _due(self) -> tuple[list[InboundDomain], dict[str, int]]:
        return self._stores.domains.domains(), self._stores.queue.hops()

    async def _renew_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            ids = [message.id for queue in self._queues.values() for message in queue.in_hand()]
            try:
                until = self.clock() + HOLD_MS
                await asyncio.to_thread(self._stores.queue.hold_on, ids, self._holder, until)
            except MailvaneError as error:
                log.warning("messages in hand cannot be kept for longer: %s", error)


def strictest(hops: Iterable[NextHop]) -> dict[str, NextHop]:
    """By name. Where domains share a server, what the strictest of them asks of TLS holds for all."""
    found: dict[str, NextHop] = {}
    for hop in hops:
        known = found.setdefault(hop.name, hop)
        if _STRICTNESS.index(hop.tls) > _STRICTNESS.index(known.tls):
            found[hop.name] = hop
    return found


def parsed_hop(name: str) -> NextHop:
    """Of a name whose domain is gone."""
    protocol, _, place = name.partition(":")
    host, _, port = place.rpartition(":")
    return NextHop(host, int(port or 25), "lmtp" if protocol == "lmtp" else "smtp")
