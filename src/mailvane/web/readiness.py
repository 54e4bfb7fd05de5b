"""Is the server fit to take work? Asked on a thread of its own, so that no other question is in front of it.

While a check takes long because the machine is busy, what the last one found holds for a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from mailvane.core.errors import StoreDamaged, StoreFull, StoreUnavailable


class Patience(msgspec.Struct, frozen=True):
    """Seconds."""

    prompt: float = 0.02  # for an answer of now
    believed: float = 10.0  # what was found so long ago still holds
    longest: float = 2.0  # for an answer where nothing is known


class Check:
    """One thing that has to be in order. `look` blocks, and raises when it is not."""

    def __init__(self, look: Callable[[], object], failure: str, patience: Patience | None = None) -> None:
        self._look = look
        self._failure = failure
        self._patience = patience or Patience()
        self._thread = ThreadPoolExecutor(1, "readiness")
        self._under_way: asyncio.Future[None] | None = None
        self._passed_at = float("-inf")

    async def passed(self) -> None:
        """Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        if self._under_way is None:
            self._under_way = asyncio.ensure_future(self._asked(loop))
            self._under_way.add_done_callback(self._ended)
        asked = self._under_way
        await asyncio.wait({asked}, timeout=self._patience.prompt)
        if not asked.done() and loop.time() - self._passed_at > self._patience.believed:
            await asyncio.wait({asked}, timeout=self._patience.longest)
            if not asked.done():
                raise StoreUnavailable(self._failure)
        if asked.done():
            asked.result()

    async def _asked(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.run_in_executor(self._thread, self._look)
        except StoreFull:
            raise
        except StoreDamaged as error:
            raise StoreUnavailable(error.message) from error
        except Exception as error:
            raise StoreUnavailable(self._failure) from error
        self._passed_at = loop.time()

    def _ended(self, asked: asyncio.Future[None]) -> None:
        self._under_way = None
        if not asked.cancelled():
            asked.exception()  # looked at, also when nobody waits for it any more

    def close(self) -> None:
        """Look no more. A look that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)
