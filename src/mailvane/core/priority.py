"""Threads that yield the processor to those that answer.

One event loop reads every request, answers for the health and decides for Postfix. A question to the embedded mail log
keeps as many threads busy as there are processors; at equal priority the loop then waits behind them at every turn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    """Call it on a thread that ends afterwards: what it starts stays at that priority, this thread is as before."""
    with ThreadPoolExecutor(1, "low priority", initializer=lower_priority) as once:
        return once.submit(function).result()
