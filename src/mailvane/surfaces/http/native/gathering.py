"""Group commit for the intake: requests that arrive while a commit is under way are made durable together by the next.

A mail server that tells one event a request would otherwise cost one disk sync and one batch each, and run away from
the mail log. Nobody waits for company: the first request is committed at once. Only when the mail log is far behind
does each commit pause a little, so that groups grow; nothing is refused for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from mailvane.surfaces.http.native.intake import MAX_LINES, Receipt, Told

_COMFORTABLE_BACKLOG = 256  # batches
_PAUSES = 10
_PAUSE_SECONDS = 0.02

Commit = Callable[[int, Sequence[Told]], Awaitable[list[Receipt]]]
Backlog = Callable[[], Awaitable[int]]
_Waiting = tuple[Told, "asyncio.Future[Receipt]"]


class Gathering:
    """Belongs to one event loop."""

    def __init__(self, commit: Commit, backlog: Backlog) -> None:
        self._commit = commit
        self._backlog = backlog
        self._waiting: dict[int, list[_Waiting]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    async def add(self, workspace: int, told: Told) -> Receipt:
        """The receipt, once the events are durable. Raises what the commit raised."""
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(workspace, []).append((told, answer))
        if workspace not in self._running:
            self._running[workspace] = asyncio.create_task(self._run(workspace))
        return await answer

    async def _run(self, workspace: int) -> None:
        try:
            while workspace in self._waiting:
                await self._pause()
                await self._together(workspace, self._next(workspace))
        finally:
            del self._running[workspace]

    def _next(self, workspace: int) -> list[_Waiting]:
        """Those who wait, as far as they fit into one batch; the first one always does."""
        waiting = self._waiting.pop(workspace, [])
        size = 0
        for count, (told, _) in enumerate(waiting):
            size += len(told.events)
            if count and size > MAX_LINES:
                self._waiting[workspace] = waiting[count:]
                return waiting[:count]
        return waiting

    async def _pause(self) -> None:
        with suppress(Exception):  # whatever it is, the commit will meet it too, and tell those who wait
            for _ in range(_PAUSES):
                if await self._backlog() < _COMFORTABLE_BACKLOG:
                    return
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _together(self, workspace: int, group: list[_Waiting]) -> None:
        try:
            receipts = await self._commit(workspace, [told for told, _ in group])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), receipt in zip(group, receipts, strict=True):
            if not answer.done():
                answer.set_result(receipt)
