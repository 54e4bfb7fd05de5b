"""Messages for one next hop, in hand of this process: in order of age, over a few connections."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from mailvane.core.errors import MailvaneError, NotFound, StoreDamaged, StoreUnavailable
from mailvane.inbound.delivery.connection import HopBroke, HopConnection, HopDown
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
_DOUBLINGS = 10
_IDLE_SECONDS = 5.0
_STOPPING_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_BROKEN_IN_A_ROW = 3  # mails at which the connection ended: from then on it is the hop, not the mail


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
        self._in_hand: dict[str, Waiting] = {}  # by id: those of the heap, and what is under way
        self._workers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failures = 0  # outages and tries to end one, since the last mail that was answered
        self._suspects: set[str] = set()  # ids of messages at which a connection ended, since they were last answered
        self._broken = 0  # of them, in a row
        self._stopping = asyncio.Event()

    @property
    def has_room(self) -> bool:
        return len(self._heap) < _ROOM

    def put(self, waiting: Waiting) -> None:
        message = waiting.message
        known = self._in_hand.get(message.id)
        if known is not None:
            if message.attempts <= known.message.attempts:
                return
            self._done_with(known)  # it was kept for a later try, and taken for that before this one heard of it
        self._in_hand[message.id] = waiting
        self._push(waiting)
        self._changed.set()
        self._hire()

    def in_hand(self) -> Iterator[Message]:
        return (waiting.message for waiting in self._in_hand.values())

    def give_back(self, goes_elsewhere: Callable[[Message], bool]) -> list[str]:
        """The ids of those that wait here and should not; they are not here any more."""
        gone = [each for _, _, each in self._heap if goes_elsewhere(each.message)]
        ids = {each.message.id for each in gone}
        self._heap = [entry for entry in self._heap if entry[2].message.id not in ids]
        heapq.heapify(self._heap)
        for each in gone:
            self._done_with(each)
        return sorted(ids)

    async def stop(self) -> None:
        """Let what is being sent come to its end."""
        self._stopping.set()
        self._changed.set()
        if self._workers:
            _, late = await asyncio.wait(list(self._workers), timeout=_STOPPING_SECONDS)
            for worker in late:
                worker.cancel()
        self._heap.clear()
        self._in_hand.clear()

    def _hire(self) -> None:
        while len(self._workers) < min(len(self._heap), self._most_workers()) and not self._stopping.is_set():
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._ended)

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._hire()  # of several that end at once, none saw what came in meanwhile

    def _most_workers(self) -> int:
        """A hop that does not answer is asked by one."""
        return 1 if self._failures else self._courier.settings.connections_per_hop

    async def _work(self) -> None:
        settings: InboundSettings = self._courier.settings
        connection: HopConnection | None = None
        try:
            while not self._stopping.is_set() and len(self._workers) <= self._most_workers():
                waiting = await self._next()
                if waiting is None:
                    return
                if connection is not None and connection.is_open and connection.hop != self.hop:
                    await connection.close()  # it is to be encrypted from now on, or not any more
                if connection is None or not connection.is_open:
                    connection = HopConnection(self.hop, settings.hostname, settings.hop_timeout, self._courier.reasons)
                if self._failures and not connection.is_open:
                    if not await self._is_back(connection, waiting):
                        continue
                    waiting = self._oldest_instead_of(waiting)
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
            if self._stopping.is_set():
                return None
        return heapq.heappop(self._heap)[2]

    async def _is_back(self, connection: HopConnection, waiting: Waiting) -> bool:
        """Whether a hop that was down can be talked to again; all that waits for it is here then."""
        failures = self._failures
        try:
            await connection.open()
        except HopDown as error:
            await self._down(waiting, error.message, failures)
            return False
        await self._recovered()
        return True

    async def _recovered(self) -> None:
        try:
            await self._courier.recovered(self.hop.name)
        except MailvaneError as error:
            log.warning("what waits for %s comes later: %s", self.hop.name, error)

    def _oldest_instead_of(self, waiting: Waiting) -> Waiting:
        """But for those at which a connection ended: a single mail must not make an outage of its own last."""
        self._push(waiting)
        fine = (entry for entry in self._heap if entry[2].message.id not in self._suspects)
        oldest = min(fine, default=self._heap[0])
        self._heap.remove(oldest)
        heapq.heapify(self._heap)
        return oldest[2]

    def _push(self, waiting: Waiting) -> None:
        heapq.heappush(self._heap, (waiting.message.received_at, next(self._order), waiting))

    def _done_with(self, waiting: Waiting) -> None:
        """It is not in hand any more; a second time changes nothing."""
        if self._in_hand.get(waiting.message.id) is waiting:
            self._courier.let_go(waiting.content)
            del self._in_hand[waiting.message.id]

    async def _send(self, connection: HopConnection, waiting: Waiting) -> None:
        failures, is_kept_open = self._failures, connection.is_open
        self._courier.under_way += 1
        try:
            await self._keep([await self._tried(connection, waiting)])
            self._done_with(waiting)  # it may be taken again at once
            self._suspects.discard(waiting.message.id)
            self._broken = 0
            if self._failures:
                self._failures = 0
                await self._recovered()
                self._hire()
        except HopBroke as error:
            await self._broke(waiting, error.message, failures, is_kept_open=is_kept_open)
        except HopDown as error:
            await self._down(waiting, error.message, failures)
        except StoreUnavailable as error:
            log.warning("the content of message %s cannot be read: %s", waiting.message.id, error)
            await self._rest(_AGAIN_SECONDS)
            self._push(waiting)
        except Exception:
            self._done_with(waiting)  # it is tried again when the hold is over
            raise
        finally:
            self._courier.under_way -= 1

    async def _keep(self, changes: Sequence[Change]) -> None:
        """Until the ledger has them: what is known only here would be handed on a second time."""
        is_told = False
        while True:
            ends = await asyncio.gather(*map(self._courier.settle, changes), return_exceptions=True)
            errors = [end for end in ends if isinstance(end, BaseException)]
            if not errors:
                return
            if not isinstance(errors[0], MailvaneError):
                raise errors[0]
            changes = [change for change, end in zip(changes, ends, strict=True) if isinstance(end, BaseException)]
            if not is_told:
                is_told = True
                log.warning("what became of %d message(s) is kept later: %s", len(changes), errors[0])
            if self._stopping.is_set():
                return
            await self._rest(_AGAIN_SECONDS)

    async def _tried(self, connection: HopConnection, waiting: Waiting) -> Change:
        """Raises HopDown, StoreUnavailable when the content cannot be read now."""
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

    async def _broke(self, waiting: Waiting, reason: str, failures: int, *, is_kept_open: bool) -> None:
        """The connection ended at this mail: it is tried on another one, and then later, for others to go on meanwhile.

        Where that happens to several in a row, the hop is down.
        """
        is_suspect = waiting.message.id in self._suspects
        if len(self._suspects) >= _ROOM:
            self._suspects.clear()  # they have failed long since
        self._suspects.add(waiting.message.id)
        if is_kept_open and not is_suspect and not failures:
            self._push(waiting)
            return
        self._broken += 1
        if failures or self._broken >= _BROKEN_IN_A_ROW:
            await self._down(waiting, reason, failures)
            return
        log.warning("%s ended the connection at message %s: %s", self.hop.name, waiting.message.id, reason)
        await self._keep([self._fate(waiting.message, unreachable(reason))])
        self._done_with(waiting)

    async def _down(self, waiting: Waiting, reason: str, failures: int) -> None:
        """Nothing can be handed on: all that is in hand is tried later, and the hop is left alone for a while.

        `failures` were there when the try began: connections that break at once are one outage.
        """
        is_known = failures != self._failures
        if not is_known:
            self._failures += 1
        if self._failures == 1 and not is_known:
            log.warning("%s takes no mail: %s", self.hop.name, reason)
        others = [each for _, _, each in self._heap]
        self._heap.clear()
        changes = [self._fate(each.message, unreachable(reason)) for each in (waiting, *others)]
        await self._keep(changes)
        for each in (waiting, *others):
            self._done_with(each)
        if not is_known:
            await self._pause()

    async def _pause(self) -> None:
        """Longer with each failure."""
        await self._rest(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, _DOUBLINGS)))

    async def _rest(self, seconds: float) -> None:
        """Cut short where this process ends."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
