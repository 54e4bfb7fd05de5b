"""Waiting in tests: for a fact, not for the clock.

A wait ends as soon as the fact is there, or when looking at it raises, for instance because a process has died. The
bound is for what hangs; it is far above what a slow or crowded machine needs, and says nothing about speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 240.0  # seconds; also the time limit of clients and processes in tests
_PAUSE = 0.05

T = TypeVar("T")


def wait_for(fact: Callable[[], T], told: Callable[[], object] | None = None) -> T:
    """What `fact` answers, once that is true; `told` says what there is instead when the patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not (found := fact()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it does not happen: {told() if told else found!r}")
        time.sleep(_PAUSE)
    return found
