"""Messages for one next hop, in hand of this process: in order of age, over a few connections."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from mailvane.core.errors import MailvaneError, NotFound, StoreDamaged
from mailvane.inbound.delivery.connection import HopConnection, HopDown
from mailvane.inbound.delivery.fate import after_try, lost, unreachable
from mailvane.inbound.delivery.trace import with_trace
from mailvane.inbound.events import Answered
from mailvane.inbound.model import Message, NextHop
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import Change

if TYPE_CHECKING:
    from mailvane.inbound.delivery.courier import Courier

log = logging.getLogger(__name__)

_ROOM = 2000  # messages in hand at most, but for those that come in
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_IDLE_SECONDS = 5.0
_STOPPING_SECONDS = 5.0
_AGAIN_SECONDS = 1.0


class Waiting(msgspec.Struct, frozen=True):
    """A message, and its content where that is in memory."""

    message: Message
    content: bytes | None


class HopQueue:
    """Belongs to one event loop."""

    def __init__(self, hop: NextHop, courier: Courier) -> None:
        self.hop = hop
        self._courier = courier
        self._heap: list[tuple[int, int, Waiting]] = []
        self._order = count()
        self._ids: set[str] = set()
        self._sending: dict[str, Message] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failures = 0
        self._stopping = False

    @property
    def has_room(self) -> bool:
        return len(self._heap) < _ROOM

    def put(self, waiting: Waiting) -> None:
        message = waiting.message
        if message.id in self._ids:
            return
        self._ids.add(message.id)
        heapq.heappush(self._heap, (message.received_at, next(self._order), waiting))
        self._changed.set()
        if len(self._workers) < min(len(self._heap), self._most_workers()) and not self._stopping:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def in_hand(self) -> Iterator[Message]:
        yield from self._sending.values()
        for _, _, waiting in self._heap:
            yield waiting.message

    async def stop(self) -> None:
        """Let what is being sent come to its end."""
        self._stopping = True
        self._changed.set()
        if self._workers:
            _, late = await asyncio.wait(list(self._workers), timeout=_STOPPING_SECONDS)
            for worker in late:
                worker.cancel()
        self._heap.clear()
        self._ids.clear()

    def _most_workers(self) -> int:
        """A hop that does not answer is asked by one."""
        return 1 if self._failures else self._courier.settings.connections_per_hop

    async def _work(self) -> None:
        settings: InboundSettings = self._courier.settings
        connection: HopConnection | None = None
        try:
            while not self._stopping and len(self._workers) <= self._most_workers():
                waiting = await self._next()
                if waiting is None:
                    return
                if connection is None or not connection.is_open:
                    connection = HopConnection(self.hop, settings.hostname, settings.hop_timeout, self._courier.reasons)
                await self._send(connection, waiting)
        finally:
            if connection is not None and connection.is_open:
                await connection.close()

    async def _next(self) -> Waiting | None:
        """The oldest; None when there was none for a while."""
        while not self._heap:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _IDLE_SECONDS)
            except TimeoutError:
                return None
            if self._stopping:
                return None
        waiting = heapq.heappop(self._heap)[2]
        self._sending[waiting.message.id] = waiting.message
        return waiting

    async def _send(self, connection: HopConnection, waiting: Waiting) -> None:
        try:
            await self._courier.settle(await self._tried(connection, waiting))
            if self._failures:
                self._failures = 0
                await self._courier.recovered(self.hop.name)
        except HopDown as error:
            await self._down(waiting, error.message)
        except MailvaneError as error:
            # It stays in hand of nobody until the hold is over.
            log.warning("what became of message %s cannot be kept: %s", waiting.message.id, error)
            await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            self._courier.let_go(waiting.content)
            self._sending.pop(waiting.message.id, None)
            self._ids.discard(waiting.message.id)

    async def _tried(self, connection: HopConnection, waiting: Waiting) -> Change:
        """Raises HopDown, StoreUnavailable."""
        message, courier = waiting.message, self._courier
        try:
            content = await courier.content(waiting)
        except (NotFound, StoreDamaged) as error:
            return lost(message, courier.clock(), error.message)
        if not connection.is_open:
            await connection.open()
        traced = with_trace(message, content, courier.settings.hostname)
        utf8 = message.protocol.startswith("UTF8") or not (message.sender + message.target).isascii()
        answered = await connection.send(message.sender, message.target, traced, utf8=utf8)
        return self._fate(message, answered)

    def _fate(self, message: Message, answered: Answered) -> Change:
        settings: InboundSettings = self._courier.settings
        return after_try(message, answered, self._courier.clock(), settings.retry_minutes, settings.quarantine_days)

    async def _down(self, waiting: Waiting, reason: str) -> None:
        """Nothing can be handed on: all that is in hand is tried later, and the hop is left alone for a while."""
        self._failures += 1
        if self._failures == 1:
            log.warning("%s takes no mail: %s", self.hop.name, reason)
        others = [each for _, _, each in self._heap]
        self._heap.clear()
        for each in others:
            self._ids.discard(each.message.id)
            self._courier.let_go(each.content)
        changes = [self._fate(each.message, unreachable(reason)) for each in (waiting, *others)]
        try:
            await asyncio.gather(*(self._courier.settle(change) for change in changes))
        except MailvaneError as error:
            log.warning("what became of %d message(s) cannot be kept: %s", len(changes), error)
        await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._failures - 1)))
