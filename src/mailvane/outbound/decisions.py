"""Decisions in groups: whoever asks while a transaction is under way is answered by the next one, together.

One thread decides: it takes all that wait, and the next ones as soon as these are durable; meanwhile the event loop
tells the answers and reads what is asked next. Nobody waits for company. This decides nothing itself, and belongs to
one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from mailvane.core.errors import InvalidInput, MailvaneError, StoreUnavailable
from mailvane.outbound.model import SendRequest, Verdict

log = logging.getLogger(__name__)

_AT_ONCE = 512  # decisions of one transaction: what the last of them waits for stays short

Answer = Verdict | MailvaneError
Answered = Callable[[Answer], None]  # is told of the verdict once it is durable, or why there is none
_Question = tuple[SendRequest, Answered]


class Decides(Protocol):
    """What the queue needs of governance."""

    def decide(self, requests: Sequence[SendRequest], now: int) -> list[Verdict]: ...


class DecisionQueue:
    """Start it within the event loop that asks."""

    def __init__(self, governance: Decides, clock: Callable[[], int], at_once: int = _AT_ONCE) -> None:
        self._governance = governance
        self._clock = clock
        self._at_once = at_once
        self._waiting: SimpleQueue[_Question | None] = SimpleQueue()  # None: nobody comes after this
        self._thread: Thread | None = None
        self._stopping = False

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, args=(loop,), name="decisions", daemon=True)
        self._thread.start()
        self._stopping = False

    async def stop(self) -> None:
        """Answer those who wait, and nobody after them."""
        self._stopping = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(thread.join)

    async def decide(self, request: SendRequest) -> Verdict:
        """The verdict, once it is durable. Raises StoreUnavailable."""
        waiting: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.ask(request, partial(_settle, waiting))
        return await waiting

    def ask(self, request: SendRequest, answered: Answered) -> None:
        """Likewise, for whoever does not wait here: `answered` is called in the event loop."""
        if self._thread is None or self._stopping:
            answered(StoreUnavailable("nothing is decided: the server is starting or stopping"))
            return
        self._waiting.put((request, answered))

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._next_group():
            loop.call_soon_threadsafe(_tell, group, self._decided([request for request, _ in group]))

    def _next_group(self) -> list[_Question]:
        """All that wait, as many as fit into one transaction; none: it is over."""
        group: list[_Question] = []
        found = self._waiting.get()
        while found is not None:
            group.append(found)
            if len(group) == self._at_once:
                return group
            try:
                found = self._waiting.get_nowait()
            except Empty:
                return group
        if group:
            self._waiting.put(None)
        return group

    def _decided(self, requests: Sequence[SendRequest]) -> Sequence[Answer]:
        """An error is one that may be shown to everyone of the group."""
        failure: MailvaneError
        try:
            return self._governance.decide(requests, self._clock())
        except InvalidInput as error:
            failure = _group_failed(error)
        except MailvaneError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
            failure = _group_failed(error)
        return [failure] * len(requests)


def _group_failed(error: Exception) -> StoreUnavailable:
    # One of many may be invalid, and none of them may see the error of another.
    log.error("a group of decisions failed", exc_info=error)
    return StoreUnavailable("the decision failed")


def _tell(group: Iterable[_Question], answers: Iterable[Answer]) -> None:
    for (_, answered), answer in zip(group, answers, strict=True):
        try:
            answered(answer)
        except Exception:
            log.exception("the answer to a mail server could not be given")


def _settle(waiting: asyncio.Future[Verdict], answer: Answer) -> None:
    if waiting.done():
        return  # whoever asked has given up; what was decided stays decided
    if isinstance(answer, MailvaneError):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
