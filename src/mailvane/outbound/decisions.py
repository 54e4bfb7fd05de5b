"""Decisions in groups: whoever asks while a transaction is under way is answered by the next one, together.

This decides nothing itself, and belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from mailvane.core.errors import InvalidInput, MailvaneError, StoreUnavailable
from mailvane.core.group_commit import GroupCommit
from mailvane.outbound.model import SendRequest, Verdict

log = logging.getLogger(__name__)

_AT_ONCE = 512  # decisions of one transaction: what the last of them waits for stays short


class Decides(Protocol):
    """What the queue needs of governance."""

    def decide(self, requests: Sequence[SendRequest], now: int) -> list[Verdict]: ...


class DecisionQueue:
    """Start it within the event loop that asks."""

    def __init__(self, governance: Decides, clock: Callable[[], int], at_once: int = _AT_ONCE) -> None:
        self._governance = governance
        self._clock = clock
        self._groups = GroupCommit[None, SendRequest, Verdict](self._commit, at_once)
        self._thread: ThreadPoolExecutor | None = None
        self._stopping = False

    async def start(self) -> None:
        self._thread = ThreadPoolExecutor(1, "decisions")
        self._stopping = False

    async def stop(self) -> None:
        """Answer those who wait, and nobody after them."""
        self._stopping = True
        await self._groups.drain()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    async def decide(self, request: SendRequest) -> Verdict:
        """The verdict, once it is durable. Raises StoreUnavailable."""
        return await self.ask(request)

    def ask(self, request: SendRequest) -> asyncio.Future[Verdict]:
        """Likewise, for whoever does not wait here."""
        if self._thread is None or self._stopping:
            refused: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
            refused.set_exception(StoreUnavailable("nothing is decided: the server is starting or stopping"))
            return refused
        return self._groups.add(None, request)

    async def _commit(self, _key: None, requests: Sequence[SendRequest]) -> list[Verdict]:
        """Raises an error that may be shown to everyone of the group."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._decided, requests)
        except InvalidInput as error:
            raise _group_failed(error) from error
        except MailvaneError:
            raise
        except Exception as error:
            raise _group_failed(error) from error

    def _decided(self, requests: Sequence[SendRequest]) -> list[Verdict]:
        return self._governance.decide(requests, self._clock())


def _group_failed(error: Exception) -> StoreUnavailable:
    # One of many may be invalid, and none of them may see the error of another.
    log.error("a group of decisions failed", exc_info=error)
    return StoreUnavailable("the decision failed")
