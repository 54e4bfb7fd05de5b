"""Requests begin a few at a time, so that the event loop is never away for long; those about health begin at once.

Three hundred clients whose requests arrive together would otherwise be read, routed and checked in one go, and nobody
would hear whether the server is alive meanwhile. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 4  # in one turn of the loop; each takes about a millisecond until it waits for something


class Starting:
    """Requests that are waiting to be begun, in the order in which they came."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, start: Callable[[], None]) -> None:
        """Call it soon, in its turn."""
        self._waiting.append(start)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._begin_some)

    def _begin_some(self) -> None:
        for _ in range(min(self._at_once, len(self._waiting))):
            self._waiting.popleft()()
        self._is_scheduled = bool(self._waiting)
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._begin_some)
