"""Threads for work that blocks, so that the event loop does not: bounded pools, one for each kind of work.

A long question to the mail log must not keep a key from being looked up. Work of workspaces is done in their turn;
whoever asks the mail log what is being asked already gets that answer.
This is not a queue of jobs: whoever asks for work waits for its result.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import partial
from time import monotonic
from typing import Any, ParamSpec, TypeVar, cast

from mailvane.core.errors import StoreUnavailable
from mailvane.core.priority import lower_priority
from mailvane.web.fair_pool import FairPool
from mailvane.web.recent import Recent
from mailvane.web.tracing import UNTRACED, Tracing
from mailvane.web.wanted import ClientGone

P = ParamSpec("P")
T = TypeVar("T")

_MAILLOG_THREADS = min(4, 1 + (os.cpu_count() or 1))  # more than there are processors only wait for each other
_LEDGER_THREADS = 3
_QUICK_THREADS = 3
_OUTSIDE_THREADS = 4
_LENGTHY_THREADS = 2
_LENGTHY_WAITING = 8  # of one workspace; each may hold a body of many megabytes
_PATIENCE_SECONDS = 60.0


class _Question:
    """A question that is under way, and how many wait for its answer."""

    def __init__(self, job: Future[tuple[float, object]]) -> None:
        self.job = job
        self.answer = asyncio.wrap_future(job)  # with the moment when the mail log began to be read
        self.waiting = 0


class ThreadPools:
    """Runs blocking functions on bounded threads. Belongs to one event loop."""

    def __init__(
        self,
        maillog_threads: int = _MAILLOG_THREADS,
        patience: float = _PATIENCE_SECONDS,
        on_abandoned: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
        tracing: Tracing = UNTRACED,
    ) -> None:
        """`on_abandoned` is called for each piece of work that ended on its thread because its client had left. The
        clock tells seconds, and only goes forward."""
        self._maillog = FairPool("maillog", maillog_threads, on_start=lower_priority)
        self._ledger = FairPool("ledger", _LEDGER_THREADS)
        self._lengthy = FairPool("lengthy", _LENGTHY_THREADS, _LENGTHY_WAITING)
        self._quick = ThreadPoolExecutor(_QUICK_THREADS, "quick")
        self._outside = ThreadPoolExecutor(_OUTSIDE_THREADS, "outside")
        self._upkeep = ThreadPoolExecutor(1, "upkeep", initializer=lower_priority)
        self._patience = patience
        self._on_abandoned = on_abandoned
        self._clock = clock
        self._tracing = tracing
        self._under_way: dict[Hashable, _Question] = {}
        self._recent = Recent()

    async def ask(
        self, workspace: int | None, same: Hashable, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A question of a workspace (None: of nobody in particular) to the mail log, in its turn.

        `same` tells apart what else is asked by this function for this workspace: of equal questions that are under way
        together one is asked, and what was answered a moment ago is given again while a question would have to wait.
        Raises StoreUnavailable when it takes too long, or too many wait.
        """
        key, work = (function, workspace, same), partial(function, *args, **kwargs)
        with self._tracing.waiting("maillog"):
            return cast("T", await self._asked(key, workspace, work))

    async def _asked(self, key: Hashable, workspace: int | None, work: Callable[[], object]) -> object:
        recent = self._answered(key, workspace, work) if self._maillog.is_full(workspace) else None
        if recent is not None:
            return recent
        question = self._under_way.get(key)
        if question is None:
            question = self._begun(key, workspace, work)
        elif not question.waiting:
            self._maillog.hurry(workspace, question.job)
        question.waiting += 1
        try:
            done, _ = await asyncio.wait({question.answer}, timeout=self._patience)
        finally:
            question.waiting -= 1
            if not question.waiting and question.job.cancel() and self._under_way.get(key) is question:
                del self._under_way[key]  # nobody waits for it any more
        if not done:
            raise StoreUnavailable(f"the mail log did not answer within {self._patience:g} s")
        return question.answer.result()[1]

    def _answered(self, key: Hashable, workspace: int | None, work: Callable[[], object]) -> bytes | None:
        """What was answered a moment ago. It is asked anew in time: then nobody has to wait when it is too old."""
        now, waited = self._clock(), self._maillog.waited
        recent = self._recent.get(key, now, waited)
        if recent is not None and key not in self._under_way and self._recent.is_ageing(key, now, waited):
            with suppress(StoreUnavailable):  # so many wait that this one is not asked
                self._begun(key, workspace, work, ahead=True)
        return recent

    def _begun(
        self, key: Hashable, workspace: int | None, function: Callable[[], object], *, ahead: bool = False
    ) -> _Question:
        def timed() -> tuple[float, object]:
            return self._clock(), function()

        work = self._tracing.working("maillog", timed)
        question = self._under_way[key] = _Question(self._maillog.submit(workspace, work, ahead=ahead))
        question.answer.add_done_callback(partial(self._ended, key, workspace, question))
        return question

    def _ended(
        self, key: Hashable, workspace: int | None, question: _Question, answer: asyncio.Future[tuple[float, object]]
    ) -> None:
        if self._under_way.get(key) is question:
            del self._under_way[key]
        if answer.cancelled() or answer.exception() is not None:
            return
        asked_at, found = answer.result()
        self._recent.forget_old(asked_at)
        if self._maillog.is_full(workspace):
            self._recent.keep(key, found, asked_at)

    async def for_workspace(
        self, workspace: int | None, is_lengthy: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Work on the ledger, in the workspace's turn. Lengthy is what may take many seconds: a large file, a year
        that is replayed. Raises StoreUnavailable: too much waits.

        Whoever leaves gives up a place in the queue; a thread is held until it is done.
        """
        name, pool = ("lengthy", self._lengthy) if is_lengthy else ("ledger", self._ledger)
        with self._tracing.waiting(name):
            work = self._tracing.working(name, partial(function, *args, **kwargs))
            return await self._until_done(pool.submit(workspace, work))

    async def _until_done(self, job: Future[T]) -> T:
        try:
            return await asyncio.shield(asyncio.wrap_future(job))
        except asyncio.CancelledError:
            if not job.cancel():
                job.add_done_callback(self._abandoned)
            raise

    def _abandoned(self, job: Future[Any]) -> None:
        if isinstance(job.exception(), ClientGone):
            self._on_abandoned()

    async def quick(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on the ledger that goes before all: looking up a key, committing to the journal."""
        return await self._run("quick", self._quick, partial(function, *args, **kwargs))

    async def outside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work that waits for a server of somebody else, which may take seconds."""
        return await self._run("outside", self._outside, partial(function, *args, **kwargs))

    async def upkeep(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work that may take minutes; one at a time."""
        return await self._run("upkeep", self._upkeep, partial(function, *args, **kwargs))

    def waiting(self, name: str) -> AbstractContextManager[None]:
        """Work that a group of requests waits for together, in the trace of each."""
        return self._tracing.waiting(name)

    async def _run(self, name: str, executor: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        with self._tracing.waiting(name):
            work = self._tracing.working(name, function)
            return await asyncio.get_running_loop().run_in_executor(executor, work)

    def close(self) -> None:
        """Let what was begun end; nothing else is begun."""
        for pool in (self._ledger, self._maillog, self._lengthy):
            pool.close()
        for executor in (self._quick, self._outside, self._upkeep):
            executor.shutdown(wait=True, cancel_futures=True)
