"""Group commit: requests that arrive while a commit is under way are made durable together by the next one.

Nobody waits for company: the first request is committed at once. An answer is given only when its commit has ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import msgspec

from mailvane.core.errors import StoreUnavailable

Key = TypeVar("Key")
Request = TypeVar("Request")
Answer = TypeVar("Answer")


class CommitLimits(msgspec.Struct, frozen=True):
    """The largest sums of sizes that may wait or be under way: of one key, and of all together."""

    of_key: int
    total: int


_UNLIMITED = CommitLimits(2**63, 2**63)
_STEP_SECONDS = 0.001
_LONGEST_SECONDS = 0.01


def _one(_request: object) -> int:
    return 1


async def _at_once() -> None:
    """Nothing to wait for."""


class GroupCommit(Generic[Key, Request, Answer]):
    """Groups by key; groups of different keys are committed side by side. Belongs to one event loop."""

    def __init__(
        self,
        commit: Callable[[Key, Sequence[Request]], Awaitable[Sequence[Answer]]],
        largest: int,
        size: Callable[[Request], int] = _one,
        before: Callable[[], Awaitable[None]] = _at_once,
        limits: CommitLimits = _UNLIMITED,
    ) -> None:
        """`largest` bounds the sum of the sizes of a group, but for a single request that is larger. `before` is
        awaited before each group is taken: while it waits, the group grows."""
        self._commit = commit
        self._largest = largest
        self._size = size
        self._before = before
        self._limits = limits
        self._held: Counter[Key] = Counter()  # sizes of what has no answer yet
        self._held_in_all = 0
        self._waiting: dict[Key, list[tuple[Request, asyncio.Future[Answer]]]] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}

    def check(self, key: Key, size: int = 1) -> None:
        """Raises StoreUnavailable where so much more would be too much."""
        limits = self._limits
        if self._held[key] + size > limits.of_key or self._held_in_all + size > limits.total:
            raise StoreUnavailable("too much waits to be stored: send it again later")

    def add(self, key: Key, request: Request) -> asyncio.Future[Answer]:
        """The answer of the commit, or what it raised. Raises StoreUnavailable as `check` does."""
        size = self._size(request)
        self.check(key, size)
        self._held[key] += size
        self._held_in_all += size
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((request, answer))
        if key not in self._running:
            # Nobody's: it commits what others add, too, which is no part of what the first one does.
            self._running[key] = asyncio.create_task(self._run(key), context=Context())
        return answer

    def waiting(self, key: Key) -> int:
        """How many requests the next commit would take."""
        return len(self._waiting.get(key, ()))

    async def drain(self) -> None:
        """Return when everybody who waits now has an answer."""
        if self._running:
            await asyncio.wait(list(self._running.values()))

    async def _run(self, key: Key) -> None:
        try:
            while key in self._waiting:
                await self._before()
                await self._commit_group(key, self._next_group(key))
        finally:
            del self._running[key]

    def _next_group(self, key: Key) -> list[tuple[Request, asyncio.Future[Answer]]]:
        waiting = self._waiting.pop(key)
        size = 0
        for count, (request, _) in enumerate(waiting):
            size += self._size(request)
            if count and size > self._largest:
                self._waiting[key] = waiting[count:]
                return waiting[:count]
        return waiting

    async def _commit_group(self, key: Key, group: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._commit_held(key, [request for request, _ in group])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for (_, waiter), answer in zip(group, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)

    async def _commit_held(self, key: Key, requests: Sequence[Request]) -> Sequence[Answer]:
        try:
            return await self._commit(key, requests)
        finally:
            size = sum(map(self._size, requests))
            self._held[key] -= size
            self._held_in_all -= size
            if not self._held[key]:
                del self._held[key]


async def gather(enough: Callable[[], bool]) -> None:
    """Return when enough of those who are about to commit wait for it, or after ten milliseconds.

    For commits that take longer than a request takes to come: without it, each would hold a request or two, and cost
    what one of many costs.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + _LONGEST_SECONDS
    while not enough() and clock() < until:
        await asyncio.sleep(_STEP_SECONDS)
