"""Threads that yield the processor to those that answer.

One event loop reads every request, answers for the health and decides for Postfix. A question to the embedded mail log
keeps as many threads busy as there are processors; at equal priority the loop then waits behind them at every turn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_STEPS = 10  # of the nice value: about a tenth of the share of a thread at 0


def lower_priority() -> None:
    """Of this thread and of those that it starts from now on. Where only a whole process can be given one, nothing.

    For good: to raise it again is a privilege (setpriority(2), RLIMIT_NICE).
    """
    if sys.platform == "linux":
        os.nice(_STEPS)


def at_low_priority(function: Callable[[], T]) -> T:
    """Call it here, as fast as ever; the threads that it has started are at low priority when it returns.

    Lowered before, opening the stores took minutes where other programs keep every processor busy.
    """
    before = _threads()
    result = function()
    for thread in _threads() - before:
        with suppress(ProcessLookupError):
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, nice + _STEPS)
    return result


def _threads() -> set[int]:
    """The native ids of those of this process."""
    if sys.platform != "linux":
        return set()
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}
