"""Group commit for decisions: whoever asks while a transaction is under way is answered by the next one, together.

Nobody waits for company: the first one to ask is decided at once. An answer is given only when its transaction is
durable. This decides nothing itself, and belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from mailvane.domain.outbound import Passage, Verdict
from mailvane.errors import InvalidInput, MailvaneError, StoreUnavailable

log = logging.getLogger(__name__)

_AT_ONCE = 512  # decisions of one transaction: what the last of them waits for stays short


class Decides(Protocol):
    """What the desk needs of governance."""

    def decide(self, passages: Sequence[Passage], now: int) -> list[Verdict]: ...


class DecisionDesk:
    """Start it within the event loop that asks."""

    def __init__(self, governance: Decides, clock: Callable[[], int], at_once: int = _AT_ONCE) -> None:
        self._governance = governance
        self._clock = clock
        self._at_once = at_once
        self._waiting: list[tuple[Passage, asyncio.Future[Verdict]]] = []
        self._running: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        self._thread = ThreadPoolExecutor(1, "decisions")

    async def stop(self) -> None:
        """Answer those who wait, and nobody after them."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._running is not None:
            await self._running
        thread.shutdown()

    async def decide(self, passage: Passage) -> Verdict:
        """The verdict, once it is durable. Raises StoreUnavailable."""
        return await self.ask(passage)

    def ask(self, passage: Passage) -> asyncio.Future[Verdict]:
        """Likewise, for whoever does not wait here."""
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if self._thread is None:
            answer.set_exception(StoreUnavailable("nothing is decided: the server is starting or stopping"))
            return answer
        self._waiting.append((passage, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(self._thread))
        return answer

    async def _run(self, thread: ThreadPoolExecutor) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._at_once], self._waiting[self._at_once :]
                await self._together(thread, group)
        finally:
            self._running = None

    async def _together(self, thread: ThreadPoolExecutor, group: list[tuple[Passage, asyncio.Future[Verdict]]]) -> None:
        passages = [passage for passage, _ in group]
        try:
            verdicts = await asyncio.get_running_loop().run_in_executor(thread, self._decided, passages)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
            failure = _failure(error)
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(failure)
            return
        for (_, answer), verdict in zip(group, verdicts, strict=True):
            if not answer.done():
                answer.set_result(verdict)

    def _decided(self, passages: list[Passage]) -> list[Verdict]:
        return self._governance.decide(passages, self._clock())


def _failure(error: Exception) -> MailvaneError:
    if isinstance(error, MailvaneError) and not isinstance(error, InvalidInput):
        return error
    # One of many may be at fault, and none of them is to hear what is wrong with another.
    log.error("a group of decisions failed", exc_info=error)
    failure = StoreUnavailable("the decision failed")
    failure.__cause__ = error
    return failure
