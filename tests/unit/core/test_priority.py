"""Threads that yield the processor."""

import os
import sys
import threading

import pytest

from mailvane.core.priority import at_low_priority, lower_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a nice value")


def nice() -> int:
    """Of this thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_what_is_started_there_yields_and_the_caller_does_not() -> None:
    before, found = nice(), list[int]()

    def start() -> threading.Thread:
        thread = threading.Thread(target=lambda: found.append(nice()))
        thread.start()
        return thread

    at_low_priority(start).join()

    assert found[0] > before
    assert nice() == before


def test_twice_is_not_below_the_lowest() -> None:
    found = list[int]()

    def lower() -> None:
        for _ in range(6):
            lower_priority()
        found.append(nice())

    thread = threading.Thread(target=lower)
    thread.start()
    thread.join()

    assert found == [19]
