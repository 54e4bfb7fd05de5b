"""Is the server fit to take work? Asked on a thread of its own, so that no other question is in front of it.

While a check takes long because the machine is busy, what the last one found holds for a few seconds. An answer that
is no older than a second is then given at once: every wait is a turn of an event loop that is busy, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from mailvane.core.errors import StoreDamaged, StoreFull, StoreUnavailable


class Patience(msgspec.Struct, frozen=True):
    """Seconds."""

    prompt: float = 0.02  # for an answer of now
    fresh: float = 1.0  # while looks are not prompt, one that ended so long ago is the answer
    busy: float = 5.0  # after a look that was not prompt, the next ones are not taken to be
    believed: float = 10.0  # what was found so long ago still holds
    longest: float = 2.0  # for an answer where nothing is known


class Check:
    """One thing that has to be in order. `look` blocks, and raises when it is not."""

    def __init__(self, look: Callable[[], object], failure: str, patience: Patience | None = None) -> None:
        self._look = look
        self.failure = failure
        self.patience = patience or Patience()
        self._thread = ThreadPoolExecutor(1, "readiness")
        self._under_way: asyncio.Future[None] | None = None
        self._passed_at = float("-inf")  # of the last look; of one that failed, never
        self._slow_until = float("-inf")

    def holds(self) -> bool:
        """Whether the last result counts: it is recent and a new check takes long. It is repeated in time."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        age = now - self._passed_at
        if now > self._slow_until or age > self.patience.fresh:
            return False
        if age > self.patience.fresh / 2:
            self.look_anew()
        return True

    def look_anew(self) -> asyncio.Future[None]:
        """The look that is under way, begun now if there is none. It raises StoreUnavailable."""
        if self._under_way is None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            self._under_way = loop.run_in_executor(self._thread, self._judged)
            self._under_way.add_done_callback(partial(self._ended, began))
        return self._under_way

    def is_believed(self) -> bool:
        """Whether what the last look found still holds where a look takes long."""
        return asyncio.get_running_loop().time() - self._passed_at <= self.patience.believed

    def _judged(self) -> None:
        try:
            self._look()
        except StoreFull:
            raise
        except StoreDamaged as error:
            raise StoreUnavailable(error.message) from error
        except Exception as error:
            raise StoreUnavailable(self.failure) from error

    def _ended(self, began: float, asked: asyncio.Future[None]) -> None:
        self._under_way = None
        now = asyncio.get_running_loop().time()
        has_passed = not asked.cancelled() and asked.exception() is None  # looked at, also when nobody waits for it
        self._passed_at = now if has_passed else float("-inf")
        if now - began > self.patience.prompt:
            self._slow_until = now + self.patience.busy

    def close(self) -> None:
        """Look no more. A look that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def all_pass(checks: Sequence[Check]) -> None:
    """Raises StoreUnavailable where one does not. They are waited for together: each wait is a turn of the loop."""
    looks = {check: check.look_anew() for check in checks if not check.holds()}
    if not looks:
        return
    await asyncio.wait(looks.values(), timeout=max(check.patience.prompt for check in looks))
    unknown = {check: look for check, look in looks.items() if not look.done() and not check.is_believed()}
    if unknown:
        await asyncio.wait(unknown.values(), timeout=max(check.patience.longest for check in unknown))
    for check, look in looks.items():
        if look.done():
            look.result()
        elif check in unknown:
            raise StoreUnavailable(check.failure)
