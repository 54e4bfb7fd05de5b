"""A coroutine whose first step is taken where it is made, not in the next turn of the event loop.

Under load one turn takes tens of milliseconds, so that what has an answer without waiting should not wait for a turn.
Python 3.12 has `asyncio.eager_task_factory` for this; Mailvane runs on 3.11, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from functools import partial
from types import coroutine
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run it until it waits for something; a task does the rest. None: it ended, or raised what is raised here."""
    context = copy_context()
    try:
        waits_for = context.run(work.send, None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_go_on(work, waits_for), context=context)


async def _go_on(work: Coroutine[Any, Any, None], waits_for: object) -> None:
    """A coroutine: from Python 3.12 on a task takes no generator."""
    await _rest(work, waits_for)


@coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: object) -> Generator[object, None, None]:
    while True:
        step: Callable[[], object]
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - a task that is cancelled says so here
            step = partial(work.throw, error)
        else:
            step = partial(work.send, None)
        try:
            waits_for = step()
        except StopIteration:
            return
