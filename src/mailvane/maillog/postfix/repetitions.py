"""Lines that stand for several: rsyslog's `message repeated 3 times: [ TEXT]`, and `last message repeated 3 times`.

The second, of sysklogd and BSD, names neither program nor text: it is of the line before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailvane.maillog.postfix.event_builder import EventBuilder

_REPETITION = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]$", re.DOTALL)
OF_THE_LAST = "last message repeated "
_OF_THE_LAST = re.compile(rf"(?:^|(?<= )){OF_THE_LAST}(\d{{1,9}}) times?$")
_MOST = 10_000  # ours: far more than a daemon says within the time that rsyslog waits


def repeated(teller: EventBuilder, say: Callable[[str], bool], text: str) -> bool:
    """Say it as often as it was said; whether this is such a line, and what it repeats is understood."""
    found = _REPETITION.match(text)
    if found is None:
        return False
    return say_again(teller, lambda: say(found[2]), int(found[1]))


def times_of_the_last(line: str) -> int:
    """How often the line before it was said again; 0 for any other line."""
    found = _OF_THE_LAST.search(line)
    return int(found[1]) if found else 0


def said_last(text: bytes) -> str:
    """The last line of a text that is no such line itself; empty when there is none."""
    lines = text.decode("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if not times_of_the_last(line)), "")


def say_again(teller: EventBuilder, say: Callable[[], bool], times: int) -> bool:
    """Whether what is said so often is understood."""
    try:
        for number in range(1, min(times, _MOST) + 1):
            teller.repetition = number
            if not say():
                return False
    finally:
        teller.repetition = 0
    return True
