"""The one bridge between the event loop and the blocking core: bounded threads, one pool per kind of work.

A long question to the mail log must not keep a key from being looked up, and nothing may keep the loop from turning.
This is not a queue of jobs: whoever crosses waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from mailvane.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_ANALYTICAL_THREADS = 4
_QUICK_THREADS = 4
_OUTSIDE_THREADS = 4
_LENGTHY_THREADS = 2
_PATIENCE_SECONDS = 60.0


class Bridge:
    """Runs blocking functions on bounded threads."""

    def __init__(
        self,
        analytical_threads: int = _ANALYTICAL_THREADS,
        quick_threads: int = _QUICK_THREADS,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._analytical = ThreadPoolExecutor(analytical_threads, "analytical")
        self._quick = ThreadPoolExecutor(quick_threads, "quick")
        self._upkeep = ThreadPoolExecutor(1, "upkeep")
        self._lengthy = ThreadPoolExecutor(_LENGTHY_THREADS, "lengthy")
        self._outside = ThreadPoolExecutor(_OUTSIDE_THREADS, "outside")
        self._patience = patience

    async def analytical(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A question to the mail log. Raises StoreUnavailable when it takes too long."""
        waiting = asyncio.get_running_loop().run_in_executor(self._analytical, partial(function, *args, **kwargs))
        try:
            return await asyncio.wait_for(waiting, self._patience)
        except TimeoutError:
            raise StoreUnavailable(f"the mail log did not answer within {self._patience:g} s") from None

    async def quick(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on the ledger: looking up a key, committing to the journal."""
        return await asyncio.get_running_loop().run_in_executor(self._quick, partial(function, *args, **kwargs))

    async def lengthy(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on the ledger that may take many seconds: a large file, a year that is replayed."""
        return await asyncio.get_running_loop().run_in_executor(self._lengthy, partial(function, *args, **kwargs))

    async def outside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work that waits for a server of somebody else, which may take seconds."""
        return await asyncio.get_running_loop().run_in_executor(self._outside, partial(function, *args, **kwargs))

    async def upkeep(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work that may take minutes; one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._upkeep, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Let what was begun end; nothing crosses any more."""
        for pool in (self._quick, self._analytical, self._lengthy, self._outside, self._upkeep):
            pool.shutdown(wait=True, cancel_futures=True)
