"""Streams of ticks to open pages (Server-Sent Events, HTML Living Standard 9.2): one a tab, none of them a thread.

A tick says what has changed, not how: the page asks for its own parts again. One task of the event loop looks for
changes while any stream is open, and one thread asks the ledger for all of them together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec

from mailvane.core.errors import MailvaneError
from mailvane.core.priority import lower_priority
from mailvane.dashboard.live.changes import Changes, topics_of

log = logging.getLogger(__name__)

_LONGEST_VERSION = 100


class StreamLimits(msgspec.Struct, frozen=True):
    """Streams, and seconds."""

    total: int = 500
    per_person: int = 50
    gap: float = 1.0  # at least, between two ticks of a stream
    gap_of_each: float = 0.05  # more for every open stream: what they ask for is drawn by few threads
    look: float = 0.25  # how often what is in memory is compared
    looks_at_ledger: int = 4  # every so many of these, the ledger is asked
    silence: float = 15.0  # then something is sent, so that nobody in between takes the connection for dead
    life: float = 300.0  # then it ends, and who opens another proves anew who it is
    busy_retry: int = 30  # for who comes when there are too many


class _Stream:
    """One open tab."""

    def __init__(self, workspace: int, told: str, ending: asyncio.Event | None) -> None:
        self.workspace = workspace
        self.told = told
        self.ending = ending
        self.quiet_until = 0.0
        self.wake = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        return self.ending is not None and self.ending.is_set()


class Streams:
    """Of one process. To be used in its event loop."""

    def __init__(self, changes: Changes, clock: Callable[[], int], limits: StreamLimits | None = None) -> None:
        self._changes = changes
        self._clock = clock
        self._limits = limits or StreamLimits()
        self._open: set[_Stream] = set()
        self._of_person: Counter[int] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "ticks", initializer=lower_priority)
        self._is_failing = False

    def __len__(self) -> int:
        return len(self._open)

    async def ticks(
        self, person: int, workspace: int, known: str, ending: asyncio.Event | None = None
    ) -> AsyncIterator[bytes]:
        """What changes after the version that a page shows, until `ending` is set or its time is over."""
        limits = self._limits
        if len(self._open) >= limits.total or self._of_person[person] >= limits.per_person:
            yield f"retry: {limits.busy_retry * 1000}\nevent: busy\ndata: busy\n\n".encode()
            return
        stream = _Stream(workspace, known[:_LONGEST_VERSION], ending)
        self._open.add(stream)
        self._of_person[person] += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            async for part in self._told(stream):
                yield part
        finally:
            self._open.discard(stream)
            self._of_person[person] -= 1
            self._of_person += Counter()  # forgets who has none

    async def _told(self, stream: _Stream) -> AsyncIterator[bytes]:
        loop, limits = asyncio.get_running_loop(), self._limits
        until = loop.time() + limits.life
        yield b"retry: 1000\n\n"
        while loop.time() < until:
            with suppress(TimeoutError):
                await asyncio.wait_for(stream.wake.wait(), limits.silence)
            stream.wake.clear()
            if stream.is_ending:
                return
            version = self._changes.version(stream.workspace)
            events = "".join(
                f"event: {topic}\nid: {version}\ndata: {version}\n\n" for topic in topics_of(stream.told, version)
            )
            stream.told = version
            stream.quiet_until = loop.time() + limits.gap + limits.gap_of_each * len(self._open)
            yield events.encode() or b":\n\n"

    async def _watch(self) -> None:
        """Wake the streams that have something to tell, as long as there are any. A ledger that takes long to answer
        keeps nobody from hearing of mail."""
        loop, looks = asyncio.get_running_loop(), 0
        while self._open:
            if looks % self._limits.looks_at_ledger == 0 and (self._looking is None or self._looking.done()):
                self._looking = asyncio.create_task(self._look())
            looks += 1
            versions = {one: self._changes.version(one) for one in {stream.workspace for stream in self._open}}
            now = loop.time()
            for stream in self._open:
                is_news = versions.get(stream.workspace, stream.told) != stream.told and now >= stream.quiet_until
                if is_news or stream.is_ending:
                    stream.wake.set()
            await asyncio.sleep(self._limits.look)

    async def _look(self) -> None:
        """A ledger that does not answer changes nothing: pages say so themselves."""
        workspaces = {stream.workspace for stream in self._open}
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, self._changes.look, workspaces, self._clock()
            )
        except MailvaneError as error:
            if not self._is_failing:
                log.warning("open pages are not told of changes: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False

    async def close(self) -> None:
        for task in (self._watching, self._looking):
            if task is not None:
                task.cancel()
        self._thread.shutdown(wait=True, cancel_futures=True)
