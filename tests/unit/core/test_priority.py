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


def test_what_is_started_there_yields_from_then_on_and_the_caller_never_does() -> None:
    before, opening, found = nice(), list[int](), list[int]()
    started, go_on = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        go_on.wait()
        found.append(nice())

    def start() -> threading.Thread:
        thread = threading.Thread(target=run)
        thread.start()
        started.wait()
        opening.append(nice())
        return thread

    thread = at_low_priority(start)
    go_on.set()
    thread.join()

    assert opening == [before]
    assert found == [before + 10]
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
