"""Is the server fit to take work? Asked on a thread of its own, so that no other question is in front of it.

While a check takes long because the machine is busy, what the last one found holds for a few seconds. An answer that
is no older than a second is then given at once: every wait is a turn of an event loop that is busy, too.
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
    fresh: float = 1.0  # while looks are not prompt, one that ended so long ago is the answer
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
        self._passed_at = float("-inf")  # of the last look; of one that failed, never
        self._is_slow = False

    def holds(self) -> bool:
        """Whether the last result counts: it is recent and a new check takes long. It is repeated in time."""
        loop = asyncio.get_running_loop()
        age = loop.time() - self._passed_at
        if not self._is_slow or age > self._patience.fresh:
            return False
        if age > self._patience.fresh / 2:
            self._look_anew(loop)
        return True

    async def passed(self) -> None:
        """Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        asked = self._look_anew(loop)
        await asyncio.wait({asked}, timeout=self._patience.prompt)
        if not asked.done() and loop.time() - self._passed_at > self._patience.believed:
            await asyncio.wait({asked}, timeout=self._patience.longest)
            if not asked.done():
                raise StoreUnavailable(self._failure)
        if asked.done():
            asked.result()

    def _look_anew(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """The look that is under way, begun now if there is none."""
        if self._under_way is None:
            self._under_way = asyncio.ensure_future(self._asked(loop))
            self._under_way.add_done_callback(self._ended)
        return self._under_way

    async def _asked(self, loop: asyncio.AbstractEventLoop) -> None:
        began, passed_at = loop.time(), float("-inf")
        try:
            await loop.run_in_executor(self._thread, self._look)
            passed_at = loop.time()
        except StoreFull:
            raise
        except StoreDamaged as error:
            raise StoreUnavailable(error.message) from error
        except Exception as error:
            raise StoreUnavailable(self._failure) from error
        finally:
            self._passed_at = passed_at
            self._is_slow = loop.time() - began > self._patience.prompt

    def _ended(self, asked: asyncio.Future[None]) -> None:
        self._under_way = None
        if not asked.cancelled():
            asked.exception()  # looked at, also when nobody waits for it any more

    def close(self) -> None:
        """Look no more. A look that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)
