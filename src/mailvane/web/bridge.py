"""The one bridge between the event loop and the blocking core: bounded threads, one pool per kind of work.

A long question to the mail log must not keep a key from being looked up, and nothing may keep the loop from turning.
Questions to the mail log wait for their workspace's turn; whoever asks what is being asked already gets that answer.
This is not a queue of jobs: whoever crosses waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any, ParamSpec, TypeVar, cast

from mailvane.core.errors import StoreUnavailable
from mailvane.web.recent import Recent
from mailvane.web.turns import Turns
from mailvane.web.wanted import ClientGone

P = ParamSpec("P")
T = TypeVar("T")

_ANALYTICAL_THREADS = 4
_QUICK_THREADS = 4
_OUTSIDE_THREADS = 4
_LENGTHY_THREADS = 2
_LENGTHY_WAITING = 8  # of one workspace; each may hold a body of many megabytes
_PATIENCE_SECONDS = 60.0


class _Shared:
    """A question that is under way, and how many wait for its answer."""

    task: asyncio.Future[object]

    def __init__(self) -> None:
        self.waiting = 0
        self.begun = False  # it is being asked, and will be until there is an answer


class ThreadPools:
    """Runs blocking functions on bounded threads."""

    def __init__(
        self,
        analytical_threads: int = _ANALYTICAL_THREADS,
        quick_threads: int = _QUICK_THREADS,
        patience: float = _PATIENCE_SECONDS,
        on_abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_abandoned` hears of each piece of work that ended on its thread because its client had left."""
        self._analytical = ThreadPoolExecutor(analytical_threads, "analytical")
        self._quick = ThreadPoolExecutor(quick_threads, "quick")
        self._upkeep = ThreadPoolExecutor(1, "upkeep")
        self._lengthy = ThreadPoolExecutor(_LENGTHY_THREADS, "lengthy")
        self._outside = ThreadPoolExecutor(_OUTSIDE_THREADS, "outside")
        self._patience = patience
        self._on_abandoned = on_abandoned
        self._turns = Turns(analytical_threads)
        # One quick thread is left for keys and for the journal.
        self._quick_turns = Turns(max(1, quick_threads - 1))
        self._lengthy_turns = Turns(_LENGTHY_THREADS, _LENGTHY_WAITING)
        self._under_way: dict[Hashable, _Shared] = {}
        self._recent = Recent()

    async def analytical(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A question to the mail log. Raises StoreUnavailable when it takes too long."""
        waiting = asyncio.get_running_loop().run_in_executor(self._analytical, partial(function, *args, **kwargs))
        try:
            return await asyncio.wait_for(waiting, self._patience)
        except TimeoutError:
            raise StoreUnavailable(f"the mail log did not answer within {self._patience:g} s") from None

    async def ask(
        self, workspace: int | None, same: Hashable, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A question of a workspace (None: of nobody in particular) to the mail log, in its turn.

        `same` tells apart what else is asked by this function for this workspace: of equal questions that are under way
        together one is asked, and what was answered a moment ago is given again while every place is taken. Raises
        StoreUnavailable when it takes too long, or too many wait.
        """
        key = (function, workspace, same)
        if self._turns.is_crowded and (answer := self._recent.get(key, monotonic(), self._turns.waited)) is not None:
            return cast("T", answer)
        shared = self._under_way.get(key)
        if shared is None:
            shared = self._under_way[key] = _Shared()
            shared.task = asyncio.ensure_future(
                self._in_turn(shared, workspace, key, partial(function, *args, **kwargs))
            )
            shared.task.add_done_callback(partial(self._ended, key, shared))
        shared.waiting += 1
        try:
            done, _ = await asyncio.wait({shared.task}, timeout=self._patience)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.begun:  # nobody wants to know any more
                self._under_way.pop(key, None)
                shared.task.cancel()
        if not done:
            raise StoreUnavailable(f"the mail log did not answer within {self._patience:g} s")
        return cast("T", shared.task.result())

    async def _in_turn(
        self, shared: _Shared, workspace: int | None, key: Hashable, function: Callable[[], object]
    ) -> object:
        async with self._turns.turn(workspace):
            shared.begun, asked_at = True, monotonic()
            answer = await asyncio.get_running_loop().run_in_executor(self._analytical, function)
        self._recent.forget_old(asked_at)
        if self._turns.is_crowded:
            self._recent.keep(key, answer, asked_at)
        return answer

    def _ended(self, key: Hashable, shared: _Shared, task: asyncio.Future[object]) -> None:
        if self._under_way.get(key) is shared:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at, also when nobody waits for it any more

    async def shared(
        self, workspace: int | None, is_lengthy: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Work of a workspace as for `quick` or `lengthy`, in its turn. Raises StoreUnavailable: too much waits.

        Whoever leaves gives up a place in the queue; a place on a thread is held until the thread is done.
        """
        turns, pool = (self._lengthy_turns, self._lengthy) if is_lengthy else (self._quick_turns, self._quick)
        work, begun = partial(function, *args, **kwargs), asyncio.Event()

        async def in_turn() -> T:
            async with turns.turn(workspace):
                begun.set()
                return await asyncio.get_running_loop().run_in_executor(pool, work)

        task = asyncio.ensure_future(in_turn())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if begun.is_set():
                task.add_done_callback(self._abandoned)
            else:
                task.cancel()
            raise

    def _abandoned(self, task: asyncio.Future[Any]) -> None:
        """It is off its thread."""
        if not task.cancelled() and isinstance(task.exception(), ClientGone):
            self._on_abandoned()

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
