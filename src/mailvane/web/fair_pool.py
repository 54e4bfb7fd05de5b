"""A pool of threads that serves tenants in turn, however much of each waits, and gives no tenant every thread.

Within a tenant, what came first is first; what nobody waits for yet is last. A thread that is done takes the next work
itself: under load the event loop takes tens of milliseconds for one turn, during which the thread would have nothing to
do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import msgspec

from mailvane.core.errors import StoreUnavailable

T = TypeVar("T")

_MOST_WAITING = 1_000
_LATELY = 5.0  # seconds


class _Job(msgspec.Struct, frozen=True, eq=False):
    """Work that waits."""

    tenant: Hashable
    work: Callable[[], Any]
    result: Future[Any]
    since: float


class _Tenant:
    """What a tenant has: work on threads, and work that waits."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[_Job] = deque()
        self.ahead: deque[_Job] = deque()  # that nobody waits for yet

    @property
    def waits(self) -> int:
        return len(self.waiting) + len(self.ahead)

    def next(self) -> _Job:
        return (self.waiting or self.ahead).popleft()


class FairPool:
    """Safe to share between threads. One thread is left to the other tenants while there is more than one."""

    def __init__(
        self,
        name: str,
        threads: int,
        most_waiting: int = _MOST_WAITING,
        on_start: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`most_waiting`: of one tenant. `on_start` is what each thread does first. The clock tells seconds."""
        self._clock = clock
        self._executor = ThreadPoolExecutor(threads, name, initializer=on_start)
        self._threads = threads
        self._of_tenant = max(1, threads - 1)
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._busy = 0  # threads
        self._is_closed = False
        self._tenants: dict[Hashable, _Tenant] = {}  # the next in turn first
        self._longest_wait = 0.0  # seconds, of what was begun lately
        self._longest_until = 0.0

    def is_full(self, tenant: Hashable) -> bool:
        """Whatever this tenant asks for now has to wait."""
        known = self._tenants.get(tenant)
        return self._busy >= self._threads or (known is not None and known.running >= self._of_tenant)

    @property
    def waited(self) -> float:
        """Seconds: the longest wait of what was begun lately. That of one alone says little about the next."""
        return self._longest_wait

    def submit(self, tenant: Hashable, work: Callable[[], T], *, ahead: bool = False) -> Future[T]:
        """Do it in the tenant's turn. What has not begun can be cancelled. Ahead: nobody waits for it yet.

        Raises StoreUnavailable: too much of this tenant waits already.
        """
        result: Future[T] = Future()
        job = _Job(tenant, work, result, self._clock())
        with self._lock:
            if self._is_closed:
                raise StoreUnavailable("the server is ending")
            known = self._tenants.setdefault(tenant, _Tenant())
            if known.waits >= self._most_waiting:
                raise StoreUnavailable(f"{self._most_waiting} questions of this workspace wait already")
            (known.ahead if ahead else known.waiting).append(job)
            begun = self._take() if self._busy < self._threads else None
            if begun is not None:
                self._busy += 1
        result.add_done_callback(partial(self._withdraw, job))
        if begun is not None:
            self._executor.submit(self._work, begun)
        return result

    def _work(self, job: _Job | None) -> None:
        """What a thread does until nothing waits that it may do."""
        while job is not None:
            job = self._do(job)

    def _do(self, job: _Job) -> _Job | None:
        """Do it, and take what is next before the result is known: then nobody sees a place taken that is not."""
        try:
            found = job.work()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            following = self._follow(job)
            job.result.set_exception(error)
        else:
            following = self._follow(job)
            job.result.set_result(found)
        return following

    def _follow(self, done: _Job) -> _Job | None:
        with self._lock:
            self._tenants[done.tenant].running -= 1
            following = self._take()
            self._forget(done.tenant)
            if following is None:
                self._busy -= 1
        return following

    def _take(self) -> _Job | None:
        """Work of the tenant whose turn it is, for a thread that is free."""
        for name, tenant in self._tenants.items():
            while tenant.waits and tenant.running < self._of_tenant:
                job = tenant.next()
                if not job.result.set_running_or_notify_cancel():
                    continue
                tenant.running += 1
                del self._tenants[name]
                self._tenants[name] = tenant  # at the end: the others come first now
                self._note_wait(job.since)
                return job
        return None

    def _note_wait(self, since: float) -> None:
        now = self._clock()
        if now - since >= self._longest_wait or now > self._longest_until:
            self._longest_wait, self._longest_until = now - since, now + _LATELY

    def hurry(self, tenant: Hashable, result: Future[Any]) -> None:
        """Somebody waits for it now."""
        with self._lock:
            known = self._tenants.get(tenant)
            job = next((each for each in known.ahead if each.result is result), None) if known is not None else None
            if known is not None and job is not None:
                known.ahead.remove(job)
                known.waiting.append(job)

    def _withdraw(self, job: _Job, result: Future[Any]) -> None:
        if result.cancelled():
            with self._lock:
                known = self._tenants.get(job.tenant)
                for jobs in () if known is None else (known.waiting, known.ahead):
                    if job in jobs:
                        jobs.remove(job)
                self._forget(job.tenant)

    def _forget(self, name: Hashable) -> None:
        tenant = self._tenants.get(name)
        if tenant is not None and not tenant.waits and not tenant.running:
            del self._tenants[name]

    def close(self) -> None:
        """Let what was begun end; the rest is cancelled."""
        with self._lock:
            self._is_closed = True
            waiting = [job for tenant in self._tenants.values() for job in (*tenant.waiting, *tenant.ahead)]
        for job in waiting:
            job.result.cancel()
        self._executor.shutdown(wait=True)
