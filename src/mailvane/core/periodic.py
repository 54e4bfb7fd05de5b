"""What a server does again and again while it runs: one loop for all of it, which a failure does not end and a
cancellation ends at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from mailvane.core.errors import MailvaneError

log = logging.getLogger(__name__)

_JITTER = 0.2  # so that nodes which were started together do not keep step

Background = Callable[[], Coroutine[Any, Any, None]]


async def every(
    seconds: float, task: str, run: Callable[[], Awaitable[object]], wake: asyncio.Event | None = None
) -> None:
    """Await `run` until cancelled, with a pause of about `seconds` after each, or until `wake` is set; again without a
    pause when it returns True: there is more to do. What it raises is logged under the name of the task.
    """
    woken = wake or asyncio.Event()
    while True:
        woken.clear()
        more: object = False
        try:
            more = await run()
        except MailvaneError as error:
            log.warning("%s: %s", task, error)
        except Exception:
            log.exception("%s failed", task)
        if more is True:
            continue
        try:
            await asyncio.wait_for(woken.wait(), seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
        except TimeoutError:
            continue


async def until_done(seconds: float, task: str, run: Callable[[], Awaitable[object]]) -> None:
    """Likewise, until it has once ended without an error."""
    done = asyncio.Event()

    async def attempt() -> None:
        await run()
        done.set()

    async with asyncio.TaskGroup() as group:
        trying = group.create_task(every(seconds, task, attempt))
        await done.wait()
        trying.cancel()


@asynccontextmanager
async def in_background(functions: Iterable[Background]) -> AsyncIterator[None]:
    """Run them for the length of a block; all have ended when it has."""
    tasks = [asyncio.create_task(function()) for function in functions]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
